"""What a passage asks for, read off the passage itself: a hint for titles and a small weight, never an accusation.

A content classifier, judged on sources it had not seen, scored AUC 0.55 (see the concepts page), so what a job asks for
moves a verdict by little. Patterns are of the instruction's own words, in several languages; none names a tool.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

INTENTS: dict[str, tuple[str, str]] = {
    "reasoning": (
        "spelled-out reasoning",
        r"step[- ]by[- ]step|chain[- ]of[- ]thought|intermediate step|show (your|the|all) (work|reasoning|steps)|"
        r"reasoning (process|trace|steps?)|your reasoning|think (through|aloud|out loud)|thought process|every step|"
        r"each step|逐步|一步一步|推理|思考过程|思维链|步骤|推導|paso a paso|razonamiento|schritt für schritt|"
        r"étape par étape|raisonnement|ステップ|推論|по шагам|рассужд|단계별|추론",
    ),
    "grading": (
        "grading of answers",
        r"\b(score|grade|rate|rating|rubric|rank(ing)?|evaluat\w+|assess\w*|judge|critique)\b|"
        r"评分|打分|评估|评价|评判|puntua|calific|evalúa|bewert|note[rz]|évalue|採点|評価|оцен|채점|평가",
    ),
    "instruction_generation": (
        "generation of instructions",
        r"(generate|create|write|develop|produce|propose)\b.{0,40}\b(questions?|queries|instructions?|prompts?|tasks?|"
        r"examples?|problems?|variants?|dialogues?|conversations?)\b|rewrite .{0,40}(instruction|prompt|question)|"
        r"生成.{0,12}(问题|指令|任务|样本|对话)|改写",
    ),
    "tool_use": (
        "tool use and agent traces",
        r"\b(tool calls?|function calls?|call (the|a) tool|agent|api call|invoke|plan (the|your) (actions?|steps?))\b|"
        r"工具|调用|智能体|herramienta|werkzeug|outil|ツール|инструмент|도구",
    ),
    "coding": (
        "code",
        r"\b(code|function|implement|refactor|unit tests?|debug|program|patch|repository|pull request|compile)\b|"
        r"代码|编程|函数|实现|código|quellcode|コード|код|코드",
    ),
    "rewording": (
        "rewording",
        r"\b(rephrase|reword|paraphrase|rewrite|neutral (wording|terms)|alternative wording)\b|"
        r"改写|换一种|重新表述|reformul|umformul",
    ),
    "extraction": (
        "structured answers",
        r"\b(json|xml|yaml|schema|respond (only )?(with|in)|output format|format:)\b|输出格式|仅输出",
    ),
}
# Characters of shared text that make a title where its intent is not recognised: half a line of a terminal.
TITLE = 40
_PATTERNS = {name: re.compile(pattern) for name, (_, pattern) in INTENTS.items()}


def intents(text: str) -> list[str]:
    """Names of what a folded passage asks for, in the order of `INTENTS`."""
    return [name for name, pattern in _PATTERNS.items() if pattern.search(text)]


def asked_for(texts: Iterable[tuple[int, str]]) -> dict[int, list[str]]:
    """What each job asks for, by its number; texts: jobs, and what is shared of them."""
    of: dict[int, list[str]] = defaultdict(list)
    for job, text in texts:
        of[job].append(text)
    return {job: intents(" ".join(shared)) for job, shared in of.items()}


def title(names: list[str], text: str = "") -> str:
    """A short name for a job: what it asks for, else how its shared text begins, else nothing that could be read."""
    said = [INTENTS[n][0] for n in names if n != "extraction"][:2] or [INTENTS[n][0] for n in names[:1]]
    if said:
        return " with ".join(said).capitalize()
    if text:
        return f"“{text[:TITLE].rsplit(' ', 1)[0] if len(text) > TITLE else text}…”"
    return "A recurring instruction"
