"""Instructions: the short recurring text that a job, an application or an agent puts around its payloads.

All instructions, of campaigns and of honest applications alike, come from one grammar, so that style tells nothing. An
intent is a few points to make; each point is written as alternatives in braces ({a|b|c}) with slots for the job's own
subject. A job fixes the points, their order and its subjects, a wording fixes the alternatives: wordings of one job say
the same thing in other words, and another seed gives other jobs. Twenty to sixty English words, or as many Chinese
characters, after what disclosures and the published prompts of open pipelines show.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random

from stillwatch.simulate.vocabulary import CHINESE, ENGLISH

# Every fifty bytes name the job's subject, or strangers' jobs would share runs by accident.
# Of the subject: <t> a thing of its trade ("overdue harbour ledger"), <f> a named form, <N> a name.
INTENTS: dict[str, tuple[str, ...]] = {
    "reasoning": (
        "{Work through|Think about|Reason over|Go through} the <t> {below|that follows|given here} {step by "
        "step|one step at a time|in small steps} for <N> {before|and only then} {answering|giving the "
        "<f>|settling it}.",
        "{Write out|Spell out|Show|Record} {every|each} <t> {inference|intermediate result|thought|turn of "
        "reasoning} {that leads|leading} to the <f>, {including|also} {dead ends|the ways you gave up|wrong turns}.",
        "{Say|State|Note} {why|for what reason} {other|competing|rival} <t> {answers|readings|options} "
        "{fail|were dropped|do not hold}, {each in|using} {one line|a sentence|few words}.",
        "{Finish|End|Close} with {a line|one sentence|the words} '<N>:' {and|followed by} the "
        "{final|settled|plain} <f>.",
        "{Check|Verify|Test} the <f> {a second time|by another route|backwards} with a <t> and {report|say|note} how "
        "{sure|certain|confident} you are.",
    ),
    "grading": (
        "{Grade|Score|Rate|Mark} the {reply|answer|response} about <t> {below|that follows} {from|between} {0 "
        "and 10|1 to 5|1 and 7|0 to 100}.",
        "{Judge|Weigh|Consider} {accuracy|whether it is right} on <t>, {depth|how far it goes} and {clarity|how "
        "well it reads} for <f>, {each apart|separately|one after another}.",
        "{Give|Write|Supply} {one|a single|a short} {reason|sentence|justification} on <f> for {every|each} "
        "{mark|score|point} {tied to|quoting} the <t>.",
        "{Return|Output|Reply with} {JSON|a JSON object|one line of JSON} {holding|with} '<w>_<w>' and "
        "'<w>_<w>' {only|and nothing else|for the <f>}.",
        "{Punish|Take points off for|Mark down} {padding|vague claims|missing steps} in the <f>; "
        "{reward|favour|prefer} a <t> {that is worked out|with evidence}.",
    ),
    "rewording": (
        "{Rewrite|Rephrase|Recast} the {question|request} on <t> {below|that follows} so that {no "
        "reader|nobody} at <N> would {object|take offence|refuse it}.",
        "{Keep|Preserve} the {meaning|substance|point} of the <f> {whole|unchanged} while {softening|toning "
        "down|making neutral} {its words|the wording}.",
        "{Offer|Give|Write} {three|four|several} {versions|variants|ways} of the <t>, {from|ranging from} "
        "{blunt to polite|direct to careful}.",
        "{Then|After that|Finally} {say|explain|tell} which {version|variant} {serves|fits} the <f> {best|most} "
        "and {why|for what reason}.",
    ),
    "tool_use": (
        "{Plan|Lay out|Decide} the {calls|tool calls|steps} {needed|required} for the <t> {before|and then} "
        "{making|starting} {any|the first}.",
        "{Call|Use|Invoke} {one tool|a single tool} {at a time|per turn} for the <f>, {say|and state|noting} "
        "{what you expect|the purpose} {first|beforehand}.",
        "{When|If} a <t> {call fails|lookup returns nothing}, {explain|say|write} {what went wrong|the cause} "
        "to <N> and {try|choose|take} {another|a different} {tool|path|way}.",
        "{Stop|Finish|Halt} {once|as soon as|when} the <f> {is complete|holds|is confirmed} and "
        "{list|give|show} {all calls|the calls made|your trail}.",
    ),
    "coding": (
        "{Fix|Repair|Complete|Rework} the <t> {code|program|module} {below|that follows} {so that|until} the "
        "<f> {passes|works|builds}.",
        "{First|Before editing|To begin} {write|draft|set down} a <f> {plan|short plan|list of edits} for the <t>, "
        "{file by file|in order}.",
        "{Give|Return|Show} the {whole|complete|full} {file|patch|diff} for the <f>, {never|not} "
        "{fragments|parts|an outline}.",
        "{Explain|Justify|Comment} {each|every} {change|edit|decision} to the <t> {in one line|briefly|with its "
        "reason}.",
        "{Add|Write|Include} {tests|a test|checks} for the <f> that {would fail|break} {before|without} {it|the "
        "change}.",
    ),
    "computer_use": (
        "{Look at|Read|Inspect} the {screen|window|page} of the <t> {described|given} {below|here} by <N> and "
        "{decide|choose|say} the {next|single next} {click|action|key}.",
        "{Name|State|Give} the {element|target|field}, {its place|where it is} in <t> and {what|the change} you "
        "{expect|foresee} in the <f>.",
        "{Keep|Hold|Maintain} a <f> {list|record|note} of what {is left|remains to do} for the <t>.",
        "{Answer|Reply|Respond} {only|just} with '<w>_<w>' {and|plus} {arguments|values} until the <f> {is "
        "shown|appears}.",
    ),
    "summary": (
        "{Summarise|Condense|Boil down|Shorten} the <t> {below|that follows} for {a busy reader|our <f> "
        "team|someone at <N>}.",
        "{Use|Keep to|Write} {three|four|five|at most six} <t> {bullets|sentences|lines}, {leading with|starting "
        "from} the <f>.",
        "{Leave out|Skip|Drop} {names|asides|greetings} that {do not bear on|are not about} the <t>.",
        "{End|Close|Finish} with {the open question|what is undecided|next steps} on the <f>.",
    ),
    "extraction": (
        "{Extract|Pull|Take} {every|each|all} <t> {from|found in} the {text|document|message} {below|that follows}.",
        "{Return|Output|Give} {JSON|one JSON object|a table} with '<w>_<w>', '<w>_<w>' and '<w>' for the <f>.",
        "{Use|Put|Write} {null|nothing|an empty value} {where|when|if} the <t> {is missing|cannot be found|is "
        "unclear}.",
        "{Never|Do not} {guess|invent|infer} {a date|a sum|a value} for the <f>.",
    ),
    "support": (
        "You {are|act as|serve as} the {assistant|helper|agent} of <N>, {which|a house that} {sells|runs|looks "
        "after} <t> {services|goods|plans}.",
        "{Answer|Reply to|Help} {customers|members|guests} about the <f> {politely|in a warm tone|briefly}.",
        "{Send|Refer|Pass} {complaints|disputes|refunds} on <t> to {a colleague|the desk at <N>|our staff}.",
        "{Do not|Never} {promise|quote|discuss} {prices|dates|terms} of the <f> {that are not listed|without "
        "checking}.",
    ),
    "classification": (
        "{Sort|Classify|File} the <f> {ticket|message|item} {below|that follows} under {one|exactly one} <t> "
        "{label|class|heading}.",
        "{Choose|Pick|Select} {from|among} '<w>', '<w>_<w>', '<w>' and '<w>_<w>' for the <f>.",
        "{Answer|Reply} with the <f> {label|class} {alone|only}, {no words|nothing} {besides|more} on the <t>.",
        "{When|If} {in doubt|two fit}, {prefer|take} the {one|label} {nearer|closer} to the <f>.",
    ),
    "generation": (
        "{Write|Invent|Create|Make up} {a new|another|one more} {task|question|exercise} on <t> {like|in the "
        "manner of} the {sample|example} {below|that follows}.",
        "{Make|Keep} its <t> {harder|rarer|longer} than the {sample|example} by {adding|asking for} a <f> {or "
        "two|constraint}.",
        "{Then|After that} {solve|answer} the <f> {in full|completely} for a {reader|learner|novice} of <t>.",
        "{Avoid|Do not use} {names|numbers|phrases} {from|of} the {sample|example}; the <f> {must|should} "
        "{stand alone|be new}.",
    ),
    "translation": (
        "{Translate|Render|Put} the <t> {below|that follows} into {plain|formal|everyday} "
        "{English|German|Spanish|Japanese|French}.",
        "{Keep|Leave} {the names|terms|codes} of the <f> {as they are|untouched|in the original}.",
        "{Match|Follow} the {tone|register} that <N> {uses|prefers} for <t>.",
        "{Mark|Flag|Bracket} {any|each} <f> {phrase|passage} you are {unsure of|not certain about}.",
    ),
}

CHINESE_INTENTS: dict[str, tuple[str, ...]] = {
    "reasoning": (
        "请{逐步|一步一步|分步}{分析|推理|思考}以下<t>{问题|题目}",
        "{写出|列出|保留}<f>的{全部|每一步|完整}{推理|思路}",
        "最后{给出|写明}<f>{结论|答案}",
    ),
    "grading": (
        "请{按|依据|根据}<t>{标准|量表}给{下面|以下}{回答|回复}{打分|评分}",
        "{说明|写出}<f>{扣分|得分}的{理由|原因}",
        "只{输出|返回}<f>分数",
    ),
    "rewording": (
        "把{下面|以下}关于<t>的{问题|说法}{改写|换一种说法}",
        "{保留|不改变}<f>的{原意|意思}",
        "给出{三种|四种}<f>写法",
    ),
    "tool_use": (
        "{先|首先}为<t>{规划|安排}{工具|调用}",
        "{每次|一次}只{调用|使用}一个<f>工具",
        "{失败|出错}时{说明|写出}<t>{原因|缘由}",
    ),
    "coding": (
        "{修复|补全|重写}下面的<t>{代码|程序}",
        "{逐行|逐段}{解释|说明}<f>的{改动|修改}",
        "{给出|返回}<t>完整{文件|补丁}",
    ),
    "generation": (
        "{仿照|参考}下面的<t>{例子|样例}{出|编写}一道新题",
        "{难度|要求}比<f>更高",
        "并{给出|写出}<t>完整{解答|答案}",
    ),
    "summary": (
        "请{总结|概括|压缩}以下<t>{内容|文档}",
        "{只用|不超过}{三|四|五}句话说明<f>",
        "{不要|避免}{提到|重复}<t>{细节|人名}",
    ),
    "extraction": (
        "从{下面|以下}{文本|内容}中{提取|找出}<t>",
        "以{表格|键值}{返回|输出}<f>",
        "{缺失|没有}的<t>{留空|写无}",
    ),
}

RESPONSE_FORMS = (
    "",
    "",
    '{"score": 7, "reason": "',
    '{"label": "',
    "Step 1. ",
    "1. ",
    "- ",
    "Sure. ",
    "```\n",
    "Summary: ",
    "Plan:\n1. ",
    "First, ",
)
FORM_OF = {"reasoning": (4, 11), "grading": (2, 5), "classification": (3,), "coding": (8, 10), "summary": (9, 6)}


@dataclass(frozen=True, slots=True)
class Wording:
    """One way of putting one job: what stands before and after the payload and in the system prompt."""

    before: str
    after: str
    system: str
    response: str
    tools: int  # number of a tool set; 0 offers none
    code: float  # share of payloads that are code
    refused: float | None = None  # share of its requests; None where it asks for nothing that is refused more often
    workload: str = ""  # the job that it belongs to: told in the truth alone
    every_turn: bool = False  # put around every message of a conversation, and not its first alone


@dataclass(frozen=True, slots=True)
class Subject:
    """What one job is about: the words that its wordings have in common."""

    things: tuple[str, ...]
    forms: tuple[str, ...]
    names: tuple[str, ...]
    words: tuple[str, ...]


def invented_name(r: Random) -> str:
    """A proper name that nobody bears."""
    w = ENGLISH.words
    return r.choice(w["S"]) + "".join(r.choice(w["s"]) for _ in range(r.choice((1, 1, 2))))


def subject(r: Random, chinese: bool) -> Subject:
    """Draw what a job is about."""
    w = CHINESE.words if chinese else ENGLISH.words
    gap = "" if chinese else " "
    things = tuple(r.choice(w["a"]) + gap + r.choice(w["n"]) for _ in range(2))
    forms = tuple(r.choice(w["n"]) + gap + r.choice(w["n"]) for _ in range(2))
    names = tuple(invented_name(r) for _ in range(2))
    return Subject(things, forms, names, tuple(r.choice(ENGLISH.words["w"]) for _ in range(4)))


def _say(r: Random, pattern: str, about: Subject, turn: int) -> str:
    text = re.sub(r"\{([^{}]*)\}", lambda m: r.choice(m[1].split("|")), pattern)
    slots = {"t": about.things, "f": about.forms, "N": about.names}
    words = iter(about.words * 3)
    return re.sub(r"<([tfNw])>", lambda m: next(words) if m[1] == "w" else slots[m[1]][turn % 2], text)


def instructions(
    r: Random, intent: str, count: int, *, chinese: bool = False, about: Subject | None = None
) -> list[str]:
    """`count` wordings of one new job with this intent; or, given what a job is `about`, other points made about it."""
    chinese = chinese and intent in CHINESE_INTENTS
    patterns = CHINESE_INTENTS[intent] if chinese else INTENTS[intent]
    about = about or subject(r, chinese)
    most = min(len(patterns), 3 if chinese else 4)
    points = r.sample(range(len(patterns)), r.randint(2, most))
    points.sort(key=lambda p: (p != 0, p) if r.random() < 0.8 else (True, p))
    out = []
    for _ in range(count):
        said = [_say(r, patterns[p], about, i) for i, p in enumerate(points)]
        out.append("，".join(said) + "。" if chinese else " ".join(said))
    return out


def response_form(r: Random, intent: str) -> str:
    """How answers to this intent begin: a job asks for one form, and so do honest applications."""
    return RESPONSE_FORMS[r.choice(FORM_OF.get(intent, (0, 1, 5, 6, 7)))]


# Public text that strangers share, fixed as the published prompts of frameworks and agents are: written for this world
# in their manner.
FRAMEWORK_PROMPTS: tuple[tuple[str, str], ...] = (
    (
        "Use only the retrieved context between the lines to answer the question. If the context does not "
        "contain the "
        "answer, say that you do not know rather than making one up.\n-----\n",
        "\n-----\nGiven the context and no prior knowledge, the answer to the query is:",
    ),
    (
        'Write a concise summary of the passage between the quotation marks, keeping its main findings:\n\n"',
        '"\n\nCONCISE SUMMARY:',
    ),
    (
        "The conversation so far and a follow-up question are given. Rephrase the follow-up into a standalone "
        "question "
        "that needs no context.\n\n",
        "\n\nStandalone question:",
    ),
    (
        "You are given a long document in pieces. Distil the piece below into a consolidated summary of its "
        "themes.\n\n",
        "\n\nHelpful answer:",
    ),
)
PIPELINE_PROMPTS: tuple[tuple[str, str, str], ...] = (
    (
        "",
        "\n\nRewrite the instruction above into a more complex version that a human can still understand and "
        "answer. Add one more constraint. #Rewritten instruction#:",
        "generation",
    ),
    (
        "Please act as an impartial judge and rate the quality of the response to the instruction from 1 to 10. "
        "Begin with a short explanation and end with the rating.\n\n",
        "",
        "grading",
    ),
    (
        "I want you to create a brand new prompt that belongs to the same domain as the given one but is even "
        "rarer.\n\n#Given prompt#:\n",
        "\n#Created prompt#:",
        "generation",
    ),
    (
        "Solve the problem below. Think carefully and explain every step of your reasoning before you state the "
        "final answer.\n\nProblem: ",
        "\n\nSolution:",
        "reasoning",
    ),
    (
        "You will be given several texts. Generate an instruction to which the following text would be the "
        "ideal answer.\n\n",
        "\n\nInstruction:",
        "generation",
    ),
    (
        "Compare the two completions below for helpfulness, honesty and truthfulness, and output a score for "
        "each on a scale of 5.\n\n",
        "",
        "grading",
    ),
)
AGENT_SYSTEM_PROMPTS: tuple[str, ...] = (
    "You are an autonomous coding agent working in the user's repository. Read files before you edit them, make "
    "the smallest change that solves the task, run the tests, and report what you did.",
    "You are a research assistant with access to search and a notebook. Break the request into sub-questions, "
    "look each one up, keep a list of sources, and answer with citations.",
    "You operate a computer on behalf of the user. Look at each screenshot, choose exactly one action, wait for "
    "the result, and ask before anything that cannot be undone.",
    "You are a helpful assistant running in an open chat interface. Format answers in Markdown, keep code in "
    "fenced blocks, and ask a clarifying question where the request is ambiguous.",
    "You are an orchestrator. Delegate parts of the task to specialised workers by calling tools, merge their "
    "results, and stop when the acceptance criteria hold.",
)
TOOL_SETS: tuple[tuple[str, ...], ...] = (
    (),
    ("read_file", "edit_file", "run_tests"),
    ("search", "fetch_page"),
    ("screenshot", "click", "type_text", "scroll"),
    ("run_python",),
    ("bash", "read_file", "write_file"),
    ("get_weather", "send_email", "create_event"),
    ("query_database", "list_tables"),
)
QUOTED_TEXTS: tuple[str, ...] = (
    "Permission is hereby granted, free of charge, to any person obtaining a copy of this software and "
    "associated documentation files, to deal in the Software without restriction.\n",
    "Licensed under the Apache License, Version 2.0; you may not use this file except in compliance with the "
    "License. You may obtain a copy of the License at the address below.\n",
    "This e-mail and any attachments are confidential and intended solely for the addressee. If you have "
    "received it in error, please notify the sender and delete it.\n",
    "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore et "
    "dolore magna aliqua.\n",
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of "
    "foolishness, it was the epoch of belief.\n",
    'Traceback (most recent call last):\n  File "/usr/lib/python3.11/runpy.py", line 198, in _run_module_as_main\n'
    "    return _run_code(code, main_globals, None,\n",
    "本邮件及其附件含有保密信息，仅限于发送给上面地址中列出的个人或群组，"
    "禁止任何其他人以任何形式使用本邮件中的信息。\n",
    "床前明月光，疑是地上霜。举头望明月，低头思故乡。白日依山尽，黄河入海流。欲穷千里目，更上一层楼。\n",
)
