"""Words and sentence frames of a dozen languages, from which payloads are assembled.

A frame is a sentence with slots: <n> noun, <a> adjective, <v> finite verb, <i> infinitive, <d> adverb, <w> a word of an
identifier, <N> an invented proper name, <#> a number. Names are invented from syllables, so that text is varied without
long lists: a name of three syllables holds about 19 bits. Frames keep their fixed words short and put at least one name
and two words into any 60 bytes. Of two runs of that length in independent texts, less than one pair in 2^37 is alike,
digits not counted (the worst are Russian and Hindi; 4,000 texts a language; tests/simulate/test_simulate_text.py keeps
it so). Which languages, and how often: rough shares of public chat corpora (English half, Chinese next), rounded.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Language:
    """One language: how often accounts write in it, word lists by slot, sentence frames by use."""

    code: str
    share: float
    words: dict[str, tuple[str, ...]]
    ask: tuple[str, ...]
    prose: tuple[str, ...]


def _language(code: str, share: float, words: dict[str, str], ask: str, prose: str) -> Language:
    lists = {slot: tuple(text.split()) for slot, text in words.items()}
    return Language(code, share, lists, _lines(ask), _lines(prose))


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() + " " for line in text.strip().splitlines())


LATIN_FIRST = (
    "Ba Be Bo Bra Bri Ca Ce Cha Co Cra Da De Di Do Dra Du Ela Eri Fa Fe Fi Flo Fra Ga Ge Gi Gra Gu Ha He Hi Ho "
    "Ila Ina "
    "Ja Je Jo Ju Ka Ke Ki Kla Ko Kra La Le Li Lo Lu Ma Me Mi Mo Mu Na Ne Ni No Nu Oli Ora Pa Pe Pi Pla Po Pra "
    "Qui Ra Re "
    "Ri Ro Ru Sa Se Sha Si So Ste Su Ta Te Thi To Tra Tu Uli Va Ve Vi Vo Wa We Wi Xa Ya Yo Za Ze Zo"
)
LATIN_NEXT = (
    "bar bel bin bor can cer chi cor dal den dim dor dun fal fen fir gan gel gor hal hem hin kar kel kin kol "
    "lan len lin "
    "lor lum mar mel min mor nar nel nik nor pal pen pir ran rel rin ros sal sen sil sol sur tan tel tin tor "
    "tur val ven "
    "vik vor wen wil yan zan zel zin zor bray dell ford gard holt lund mont nard quist rath shaw stad thor vale "
    "wick zar"
)

ENGLISH = _language(
    "en",
    0.5,
    {
        "S": LATIN_FIRST,
        "s": LATIN_NEXT,
        "n": "ledger harbour turbine orchard archive tariff engine clinic bakery glacier tenant voucher sensor canal "
        "loan garden fabric reactor permit shuttle museum pension antenna invoice lattice novel pump quarry recipe "
        "satellite theatre vaccine warehouse yacht audit bridge cargo dataset elevator furnace grid hostel insurance "
        "journal kiosk library mortgage notebook oven payroll queue railway survey telescope union valve workshop "
        "zoning alloy beacon census dividend estuary ferry gallery hedge index jury kernel lease membrane nursery "
        "outlet parcel quota ransom seminar tunnel upload vineyard wetland appendix battery chapel dialect essay "
        "festival gateway habitat inspector jacket keyboard landlord mosaic nutrient orchestra pigment refund "
        "scholarship thermostat usher violin wharf almanac bursary compiler detour embargo fountain goalkeeper "
        "handbook incubator kitchen lantern manuscript neuron optician peninsula rehearsal subsidy treaty upgrade "
        "vendor watermill asteroid biopsy courier drainage enzyme forecast greenhouse hydrant itinerary",
        "a": "seasonal brittle overdue municipal acoustic tidal fragile redundant portable marginal nocturnal "
        "volatile "
        "ceramic dormant elastic fiscal granular hybrid idle judicial kinetic lateral maritime nominal opaque "
        "provisional quiet rural saline tropical unpaid vertical woven annual binding circular diluted eastern "
        "forged glossy humid inverted joint key-shaped layered molten narrow organic patchy quarterly remote "
        "sparse tempered urgent vintage wireless abandoned bilingual coastal damaged enclosed flooded gilded "
        "heated imported jagged licensed mislabelled northern outdated paved rented shallow temporary uneven "
        "vaulted weekly amended buried clinical disputed engraved fermented grafted",
        "v": "delayed repaired inherited outpaced balanced cancelled doubled examined financed governed hindered "
        "ignored justified limited measured navigated occupied predicted questioned replaced scheduled tested "
        "undercut validated weakened absorbed borrowed compared damaged estimated filtered granted halted insured "
        "joined labelled merged narrowed obscured patched recorded shortened traced united verified withdrew "
        "adjusted blocked corrected displaced enlarged flagged guarded handled imported licensed matched noticed "
        "ordered postponed rejected surveyed transferred upheld visited weighed",
        "i": "repair balance explain compare plan estimate draft rewrite choose schedule calculate summarise check "
        "translate design simplify sort organise measure debug price test outline improve describe classify merge "
        "forecast annotate prove refactor migrate review negotiate visualise",
        "d": "slowly twice barely often quietly rarely abruptly partly openly steadily nearly jointly promptly "
        "formally loosely rightly unevenly locally briefly mostly sharply",
        "w": "user order item cache token batch index frame queue node edge price total count state event row "
        "col key "
        "value buffer stream parse load fetch merge split sort hash path file line page image audio pixel layer "
        "weight grad loss epoch sample score rank match route port host pool lock thread task job worker retry limit "
        "delay timer clock date month year rate tax coupon cart invoice refund ledger account profile session login "
        "scope role grant policy rule filter query table schema column field record cursor trace span metric alert "
        "config flag option param arg name label tag group team owner parent child root leaf depth width height size "
        "area angle speed mass force heat fluid gene cell dose trial ward city zone lane track signal sensor motor "
        "valve pump fan relay switch panel menu button modal theme color font glyph shape curve mesh light shadow",
    },
    """How should I <i> a <a> <n> for <N> when the <n> is <a>?
Could you <i> the <n> that <N> <d> <v>?
I need to <i> <#> <a> items for my <n> near <N>.
What is the <a> way to <i> a <n> if <N> <v> it?
Why would the <n> in <N> stay <a> after <N> <v> it?
Please <i> this for <N>, the <a> <n> I mentioned.
My <n> <v> <N> and now the <n> looks <a>, what next?
Is it <d> <a> to <i> <N> before the <n>?
Can <N> <i> a <n> with <#> units, or must <N> <i> it?
Help me <i> what <N> said about the <a> <n>.""",
    """The <a> <n> near <N> <d> <v> <#> <n> units.
<N> <v> the <n>, so <N> <d> <v> a <a> <n>.
In <N>, <a> <n> costs <v> what the <n> of <N> once <v>.
After <#> days the <n> <v> <N>, a <a> <n> keeper.
Nobody at <N> <v> that <a> <n> or its <n>.
Because <N> <d> <v> it, the <a> <n> <v> <N> again.
A <a> <n>, a <n> and <#> <a> parts from <N> <v> it.
Both <N> and <N> <d> <v> the <a> <n>.
Section <#>: <N> <n> (<a>), <n> <v> by <N>.
Its <n> <v> <#> percent; <N> <v> the <a> <n>.
When <N> <v> <N>, one <a> <n> <d> <v> the <n>.
Every <n> that <N> <v> was <a>, or <d> <v> by <N>.
"Our <n> <v> <N>," said <N>, "and the <a> <n> <v>."
Note <#> on the <n>: <a>, <d> <v>, signed <N>.
Then <N> <v> a <n>, <d> <a>, for <#> <n> owners of <N>.
Unlike <N>, the <a> <n> of <N> <d> <v> its <n>.""",
)

CHINESE = _language(
    "zh",
    0.16,
    {
        "S": "王 李 张 刘 陈 杨 赵 黄 周 吴 徐 孙 胡 朱 高 林 何 郭 马 罗 梁 宋 郑 谢 韩 唐 冯 于 董 萧 程 曹 "
        "袁 邓 许 傅 沈 曾 彭 吕 苏 卢 蒋 蔡 贾 丁 魏 薛 叶 阎",
        "s": "安 宁 博 晨 岚 峰 海 浩 恒 嘉 建 洁 静 凯 兰 磊 丽 明 娜 楠 鹏 萍 青 清 荣 瑞 珊 诗 思 涛 婷 伟 "
        "文 雯 翔 晓 欣 雪 雅 艳 瑶 宜 颖 勇 宇 玉 远 云 泽 芝 志 舟 卓 梓 泉 松 柏 森 淼 霖",
        "n": "账本 港口 果园 档案 关税 发动机 诊所 面包房 冰川 租户 传感器 运河 贷款 花园 布料 许可证 博物馆 "
        "养老金 天线 发票 小说 水泵 食谱 卫星 剧院 疫苗 仓库 审计 桥梁 货物 数据集 电梯 熔炉 电网 "
        "旅馆 保险 期刊 图书馆 抵押 笔记 烤箱 工资 队列 铁路 调查 望远镜 工会 阀门 车间 合金 灯塔 人口 股息 "
        "渡轮 画廊 索引 陪审团 内核 租约 薄膜 苗圃 包裹 配额 研讨会 隧道 葡萄园 湿地 附录 电池 "
        "方言 论文 节日 网关 栖息地 键盘 房东 营养 乐团 颜料 退款 奖学金 恒温器 提琴 码头 编译器 喷泉 手册 厨房 "
        "手稿 神经元 半岛 排练 补贴 条约 供应商 小行星 快递 酶 预报 温室",
        "a": "季节性 脆弱 逾期 市政 声学 潮汐 冗余 便携 边缘 夜间 易变 陶瓷 休眠 弹性 财政 混合 闲置 司法 横向 "
        "海上 名义 临时 安静 乡村 热带 未付 垂直 年度 环形 稀释 东部 潮湿 联合 分层 熔化 狭窄 有机 季度 偏远 "
        "稀疏 紧急 复古 无线 废弃 双语 沿海 受损 封闭 进口 锯齿 北方 过时 租用 浅层 不均 每周 修订 有争议 发酵 镀金",
        "v": "推迟了 修好了 继承了 超过了 平衡了 取消了 检查了 资助了 管理了 妨碍了 忽略了 证明了 限制了 测量了 "
        "占用了 预测了 质疑了 替换了 安排了 测试了 削弱了 吸收了 借走了 比较了 估算了 过滤了 批准了 停止了 "
        "加入了 标注了 合并了 "
        "缩小了 遮住了 记录了 缩短了 追踪了 核实了 撤回了 调整了 纠正了 扩大了 守住了 处理了 匹配了 注意到 "
        "订购了 拒绝了 转移了",
        "i": "修理 平衡 解释 比较 规划 估计 起草 改写 选择 安排 计算 总结 检查 翻译 设计 简化 整理 测量 调试 "
        "改进 描述 分类 合并 预测 标注 证明",
        "d": "慢慢 再次 几乎 经常 悄悄 很少 突然 部分 公开 稳步 共同 及时 正式 大致 当地 短暂",
        "w": "a b c",
    },
    """请问怎样<i><N>的<a><n>，特别是<n><v>之后？
<N>让我<i><a>的<n>，该先找<N>吗？
能不能帮我<i>一下<N><d><v>的<n>？
为什么<N>的<n>总是<a>，而<N>的<n>不会？
我想<i><#>个<a><n>，<N>说要先看<n>。
如果<N><v><n>，那么<a><n>还需要<i>吗？""",
    """<N><d><v><a>的<n>，<N>又<v><n>。
在<N>，<a><n>和<n><d><v><#>次。
因为<N><v><n>，<a><n>的<n>被<N><v>。
第<#>节：<N>的<n>（<a>），由<N><v>。
<N>与<N>都<v>那份<a>的<n>，<n><d><v>。
<N>过了<#>天，<n><v><N>的<a><n>。
没有人<v><N>的<n>，除非<N><d><v><n>。
“<n><v>，”<N>说，“<a>的<n><d><v>。”
<N>记下：<n><a>，<n><v>，<N>签字。
与<N>不同，<a>的<n><d><v><N>的<n>。""",
)

SPANISH = _language(
    "es",
    0.06,
    {
        "S": LATIN_FIRST,
        "s": LATIN_NEXT,
        "n": "puerto huerto archivo motor horno glaciar inquilino sensor canal préstamo jardín tejido permiso museo "
        "recibo bosque teatro almacén puente catálogo ascensor hostal seguro diario cuaderno taller faro censo "
        "contrato mercado viñedo apéndice dialecto ensayo festival teclado mosaico violín muelle manual tratado",
        "a": "frágil marginal portátil nocturno elástico fiscal rural tropical vertical anual circular húmedo "
        "conjunto "
        "estrecho orgánico remoto urgente antiguo costero dañado cerrado importado temporal desigual semanal dorado",
        "v": "retrasó reparó heredó superó canceló examinó financió ignoró limitó midió ocupó sustituyó probó "
        "absorbió "
        "comparó estimó filtró frenó unió registró acortó rastreó verificó retiró ajustó corrigió amplió rechazó",
        "i": "reparar explicar comparar planear estimar redactar elegir calcular resumir traducir diseñar "
        "ordenar medir",
        "d": "apenas pronto casi nunca siempre despacio juntos antes luego",
        "w": "a b c",
    },
    """¿Cómo puedo <i> el <n> <a> de <N> si <N> lo <v>?
¿Por qué <N> <v> el <n> y no el <n> de <N>?
Quiero <i> un <n> <a> con <N>, ¿qué opina <N>?
Ayúdame a <i> lo que <N> <v> en el <n> <a>.""",
    """<N> <d> <v> el <n> <a>, y <N> <v> otro <n>.
En <N>, un <n> <a> <v> a <N> <#> veces.
Como <N> <v> el <n>, <N> <d> <v> el <n> <a>.
Ni <N> ni <N> <v> aquel <n> <a> del <n>.
Tras <#> días <N> <v> el <n> a <N> y a <N>.
El <n> de <N>, <a>, <v> el <n> que <N> <v>.
Sección <#>: <N>, <n> <a>, <v> por <N>.""",
)

GERMAN = _language(
    "de",
    0.05,
    {
        "S": LATIN_FIRST,
        "s": LATIN_NEXT,
        "n": "Hafen Garten Motor Ofen Gletscher Mieter Sensor Kanal Kredit Stoff Reaktor Antrag Verein Roman Brunnen "
        "Tunnel Katalog Aufzug Bericht Vertrag Markt Weinberg Anhang Dialekt Aufsatz Turm Impfstoff Fahrplan Keller "
        "Zähler Speicher Kompass Rechner Beleg Zuschuss Verlag Bahnhof Lehrplan",
        "a": "spröde städtische leise elastische spärliche ländliche tropische senkrechte jährliche feuchte "
        "gemeinsame "
        "enge ferne dringende alte drahtlose beschädigte geschlossene importierte gemietete flache ungleiche neue",
        "v": "verzögerte reparierte erbte überholte prüfte bezahlte leitete behinderte begrenzte maß besetzte "
        "ersetzte "
        "testete schwächte verglich schätzte filterte stoppte markierte kürzte verfolgte bestätigte regelte sperrte",
        "i": "reparieren erklären vergleichen planen schätzen entwerfen wählen berechnen übersetzen ordnen messen",
        "d": "kaum bald fast nie stets langsam gemeinsam zuvor danach",
        "w": "a b c",
    },
    """Wie kann ich den <n> von <N> <i>, wenn <N> ihn <v>?
Warum <v> <N> den <n> und nicht der <n> von <N>?
Bitte hilf <N>, einen <n> für <N> zu <i>.
Soll der <a> <n> von <N> <d> zu <i> sein, <N>?""",
    """<N> <v> <d> den <n>, und <N> <v> der <a> <n>.
In <N> <v> <N> <#> Mal den <a>n <n> von <N>.
Weil <N> den <n> <v>, <v> <N> <d> der <n>.
Weder <N> noch <N> <v> den <n> aus <N>.
Bei <N> <v> <N> nach <#> Tagen den <n> von <N>.
Der <n> von <N>, der <a> <n>, <v> auch <N>.
Abschnitt <#>: <N>, der <a> <n>, <v> <N>.""",
)

FRENCH = _language(
    "fr",
    0.05,
    {
        "S": LATIN_FIRST,
        "s": LATIN_NEXT,
        "n": "port verger dossier moteur four glacier capteur canal prêt jardin tissu permis musée reçu roman pont "
        "catalogue journal cahier phare contrat marché vignoble dialecte essai festival clavier violon quai manuel "
        "traité tunnel rapport vaccin théâtre moulin barème relevé chantier courrier",
        "a": "fragile marginal portable nocturne élastique fiscal rural tropical vertical annuel humide commun "
        "étroit "
        "lointain urgent ancien côtier abîmé fermé importé loué inégal hebdomadaire doré",
        "v": "retarda répara hérita dépassa annula examina finança ignora limita mesura occupa remplaça testa "
        "absorba "
        "compara estima filtra freina joignit nota raccourcit suivit vérifia retira ajusta corrigea refusa",
        "i": "réparer expliquer comparer prévoir estimer rédiger choisir calculer résumer traduire trier mesurer",
        "d": "bientôt presque jamais toujours lentement ensemble ensuite",
        "w": "a b c",
    },
    """Comment <i> le <n> <a> de <N> si <N> le <v> ?
Pourquoi <N> <v> le <n>, et pas le <n> de <N> ?
Aide <N> à <i> le <n> que <N> <v> hier.
Faut-il <i> ce <n> <a> avec <N> ou <N> ?""",
    """<N> <v> <d> le <n> <a>, puis <N> <v> un <n>.
À <N>, un <n> <a> <v> <#> fois le <n> de <N>.
Comme <N> <v> le <n>, <N> <v> <d> le <n> <a>.
Ni <N> ni <N> ne <v> ce <n> <a>.
Après <#> jours <N> <v> le <n> <a> et <N>.
Le <n> de <N>, <a>, <v> celui de <N>.
Article <#> : <N>, <n> <a>, <v> par <N>.""",
)
