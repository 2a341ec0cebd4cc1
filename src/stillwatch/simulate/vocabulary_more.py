"""More languages for payloads: the same form as in `vocabulary`, with shorter lists and more names for the scripts in
which 60 bytes are only twenty to thirty characters."""

from __future__ import annotations

from stillwatch.simulate.vocabulary import (
    CHINESE,
    ENGLISH,
    FRENCH,
    GERMAN,
    LATIN_FIRST,
    LATIN_NEXT,
    SPANISH,
    Language,
    _language,
)

KANA = (
    "アイ アオ イナ ウミ エリ オカ カイ カナ キタ クロ ケン コウ サカ サト シマ スズ セキ ソノ タカ タニ チバ "
    "ツジ テラ トミ ナカ ニシ ヌマ ネモ ノダ ハマ ヒロ フジ ヘイ ホリ マツ ミヤ ムラ メグ "
    "モリ ヤマ ユキ ヨネ リク ルイ レン ロウ ワダ ガモ ギフ グン ゴト ザイ ジン ズシ ダテ ドイ バン ビワ ブン ボウ"
)
CYRILLIC_FIRST = (
    "Ба Бе Бо Ва Ве Ви Во Га Ге Го Гра Да Де До Дра Жа За Зо Ива Ка Ки Ко Кра Ла Ле Ли Ло Ма Ме Ми Мо На Не Ни "
    "Но Ола Па "
    "Пе По Пра Ра Ре Ро Са Се Си Со Ста Та Те То Тра Фе Ха Хо Ча Ша Эри Юли Яро"
)
CYRILLIC_NEXT = (
    "бар бин вен вил гор дан ден дор жен зан зин кар кин ков лан лен лин мар мил мин нар ник нов пал пен ран "
    "рин ров сан "
    "сен сил сов тан тин тор тур фан хан цев чан шин щер юн яр"
)
ARABIC_FIRST = "با بد تا جا جم حا حم خا دا دي را رم زا سا سم شا صا طا عا عم غا فا قا كا لا ما مر نا نو ها وا يا سل نج"
ARABIC_NEXT = "بر ين ام ور يد ان مي دو سن رة لي كر فل نب يل صر غد حر طم قش زن خف جت ضل وس ثم نك رع لب شق مد هب"
NAGARI_FIRST = (
    "अजी आशु इरा ईशा उमा ऋतु कवि किर खुश गगन घन चेत छवि जग झील तरु दिन धीर नम पव फूल बिन भव मधु यति रति लह वन "
    "शिव सज हित अम आर इन कम कर गौ चं जय दे धन नर नि पर प्र बल भा मन मो यश रा ला वि शां सं सु हर ऋषि उद कि गो ती"
)
NAGARI_NEXT = (
    "अंश इका ईश एंद्र कुल गिर चंद जन तोष दास नेश पति प्रीत बंध भान मय युग रेश लेख वंत शाल सिंह हार त्रा मोल नूर "
    "राज देव वीर नाथ लाल मती कर दीप पुर गढ़ नी वती शील धर पाल सेन राम ता लोक मल हंस वान रथ जीत बाल शेष कांत मान"
)
HANGUL_FIRST = (
    "강 고 공 권 김 나 노 도 류 마 문 민 박 방 배 백 변 서 석 설 성 손 송 신 심 안 양 엄 여 오 우 원 유 윤 이 "
    "임 장 전 정 조 주 지 진 차 채 최 추 태 하 한 허 현 홍 황"
)
HANGUL_NEXT = (
    "가 건 경 규 기 나 다 동 라 린 미 민 범 빈 상 서 선 성 솔 수 승 시 아 연 영 예 온 완 용 우 운 원 윤 은 인 "
    "재 정 주 준 지 진 찬 채 태 하 한 해 혁 현 형 호 훈 희"
)

JAPANESE = _language(
    "ja",
    0.045,
    {
        "S": KANA,
        "s": KANA,
        "n": "帳簿 港 果樹園 記録 関税 機関 診療所 氷河 借家人 運河 融資 庭園 布地 許可証 博物館 年金 請求書 "
        "小説 献立 衛星 劇場 倉庫 監査 橋 貨物 昇降機 電力網 保険 図書館 工場 灯台 契約 市場 葡萄園 付録 論文 鍵盤 "
        "条約 温室 予報",
        "a": "脆い 季節の 遅れた 夜間の 可変の 地方の 熱帯の 垂直な 年次の 湿った 共同の 狭い 遠い 緊急の 古い "
        "無線の 沿岸の 壊れた 閉じた 輸入の 浅い 週次の",
        "v": "延期した 直した 継いだ 超えた 取り消した 調べた 支えた 測った 占めた 予測した 替えた 試した "
        "弱めた 比べた 見積もった 止めた 結んだ 記した 縮めた 追った 確かめた 退けた 整えた 断った",
        "i": "修理 説明 比較 計画 見積 起草 選択 計算 要約 翻訳 設計 測定",
        "d": "徐々に 再び ほぼ しばしば 静かに 急に 共に",
        "w": "a b c",
    },
    """<N>の<a><n>を<i>する<N>の方法は、<N>に何か。
なぜ<N>は<n>を<v>のに<N>は<a>ままか、<N>。
<N>が<v><n>の<i>を<N>と、<N>向けに。""",
    """<N>は<a><n>を<d><v>、<N>も<n>を<v>。
<N>では<n>が<#>回<N>の<n>を<v>、<N>も。
<N>が<n>を<v>ので、<N>は<a><n>を<N>に。
<N>の<#>日後、<a><n>は<N>と<N>を<v>。
<N>第<#>節：<N>の<n>（<a>）を<N>が<v>。""",
)

RUSSIAN = _language(
    "ru",
    0.035,
    {
        "S": CYRILLIC_FIRST,
        "s": CYRILLIC_NEXT,
        "n": "порт сад архив мотор тариф ледник датчик канал кредит завод музей счёт роман насос рецепт театр "
        "склад мост "
        "груз лифт журнал маяк договор рынок налог словарь тоннель отчёт прибор вокзал",
        "a": "хрупкий ночной сельский старый новый узкий дальний срочный общий сырой ручной закрытый мелкий редкий",
        "v": "починил задержал сравнил отменил проверил измерил заменил оценил закрыл нашёл купил продал изучил вернул",
        "i": "починить сравнить оценить выбрать описать измерить",
        "d": "снова почти часто редко вдруг вместе",
        "w": "a b c",
    },
    """Как <N> может <i> <N> и <n> у <N>?
Почему <N> <v> <n>, а <N> нет?
Помоги <N> <i> <a> <n> и <N>.""",
    """<N> <d> <v> <n> <N>, <N> <v> <n>.
<N> в <N> <#> раз <v> <n>, <N> тоже.
<N> и <N> <v> <n> у <N>.
<N> <#> дней <v> <n> <N>.
<N>, <a> <n>, <N>: пункт <#>, <N>.""",
)

PORTUGUESE = _language(
    "pt",
    0.03,
    {
        "S": LATIN_FIRST,
        "s": LATIN_NEXT,
        "n": "porto pomar arquivo motor forno inquilino sensor canal jardim tecido museu recibo bosque teatro "
        "armazém "
        "catálogo elevador seguro diário caderno farol censo contrato mercado ensaio teclado violino manual "
        "acordo túnel",
        "a": "frágil noturno rural tropical anual úmido estreito urgente antigo costeiro fechado importado "
        "semanal raro",
        "v": "atrasou consertou herdou superou cancelou examinou ignorou limitou mediu ocupou trocou testou comparou "
        "estimou filtrou freou uniu anotou encurtou seguiu verificou ajustou corrigiu recusou",
        "i": "consertar explicar comparar planejar estimar escolher calcular resumir traduzir medir",
        "d": "quase nunca sempre devagar depois",
        "w": "a b c",
    },
    """Como <N> pode <i> o <n> <a> de <N>?
Por que <N> <v> o <n>, e <N> não?
Ajude <N> a <i> um <n> com <N>.""",
    """<N> <d> <v> o <n> <a>, e <N> <v> outro <n>.
Em <N>, o <n> <a> <v> <N> <#> vezes.
Como <N> <v> o <n>, <N> <v> o <n> <a>.
Nem <N> nem <N> <v> aquele <n> <a>.
Item <#>: <N>, <n> <a>, <v> por <N>.""",
)

KOREAN = _language(
    "ko",
    0.025,
    {
        "S": HANGUL_FIRST,
        "s": HANGUL_NEXT,
        "n": "항구 과수원 기록 관세 엔진 진료소 빙하 운하 대출 정원 직물 허가증 박물관 연금 청구서 소설 요리법 "
        "위성 극장 창고 감사 교량 화물 보험 도서관 공장 등대 계약 시장 부록",
        "a": "약한 늦은 밤의 시골 열대 수직 연간 습한 공동 좁은 먼 급한 낡은 무선 닫힌 얕은",
        "v": "미뤘다 고쳤다 넘었다 취소했다 살폈다 막았다 쟀다 바꿨다 시험했다 비교했다 멈췄다 이었다 적었다 "
        "줄였다 따랐다 거절했다",
        "i": "수리 설명 비교 계획 추정 선택 계산 요약 번역 설계",
        "d": "천천히 다시 거의 자주 갑자기 함께",
        "w": "a b c",
    },
    """<N>의 <a> <n> <i> 방법을 <N>에게 알려 줘?
왜 <N>은 <n>을 <v>, <N>은?
<N>의 <n> <i>를 <N>와 도와줘.""",
    """<N>은 <a> <n>을 <d> <v>, <N>도 <n> <v>.
<N>에서 <n>이 <#>번 <N>의 <n>을 <v>.
<N>과 <N>은 <n>을 <v>, <N>만.
<#>일 뒤 <a> <n>은 <N>과 <N>을 <v>.""",
)

ARABIC = _language(
    "ar",
    0.02,
    {
        "S": ARABIC_FIRST,
        "s": ARABIC_NEXT,
        "n": "ميناء بستان محرك مصنع جسر متحف مخزن قرض عقد سوق تقرير مسرح نفق دفتر مصعد كتاب برج معرض حساب جهاز",
        "a": "قديم جديد ليلي ريفي ضيق بعيد عاجل مشترك مغلق نادر",
        "v": "أصلح أخر قارن ألغى فحص قاس بدل قدر أغلق وجد رفض سجل",
        "i": "إصلاح شرح مقارنة تقدير اختيار حساب",
        "d": "ثانية غالبا نادرا فجأة معا",
        "w": "a b c",
    },
    """كيف يمكن <i> <n> <N> مع <N>؟
لماذا <v> <N> <n> ولم يفعل <N>؟
ساعد <N> في <i> <n> <N>.""",
    """<N> <v> <n> <a>، و<N> <v> <N>.
في <N> <v> <N> <#> مرات <N>.
<N> و<N> <v> <n> <N>.
<N> بعد <#> يوما <v> <N> <n> <N>.""",
)

HINDI = _language(
    "hi",
    0.02,
    {
        "S": NAGARI_FIRST,
        "s": NAGARI_NEXT,
        "n": "बंदरगाह बाग इंजन नहर पुल संग्रहालय गोदाम ऋण अनुबंध बाजार रिपोर्ट रंगमंच सुरंग खाता किताब मीनार कर यंत्र दवा खेत",
        "a": "पुराना नया ग्रामीण संकरा दूर जरूरी साझा बंद दुर्लभ",
        "v": "सुधारा रोका तौला बदला जांचा मापा चुना नकारा लिखा भेजा",
        "i": "सुधारना समझना तुलना चुनना गिनना मापना",
        "d": "फिर अक्सर अचानक साथ",
        "w": "a b c",
    },
    """<N> का <N> कैसे <N> <i>?
<N> ने <N> क्यों <v>, <N>?
<N>, <N> और <N>, <i>।""",
    """<N> ने <N> <v>, <N> <n>।
<N> में <N> <#> <N> <v>।
<N> और <N>, <a> <N> <n>।
<N> <n> <N>, <#> <N>।
<N> <d> <N>, <a> <N>।""",
)

ITALIAN = _language(
    "it",
    0.015,
    {
        "S": LATIN_FIRST,
        "s": LATIN_NEXT,
        "n": "porto frutteto archivio motore forno inquilino sensore canale prestito giardino tessuto permesso museo "
        "bosco teatro magazzino ponte catalogo diario quaderno faro contratto mercato saggio violino manuale "
        "trattato",
        "a": "fragile notturno rurale tropicale annuale umido stretto urgente antico chiuso raro",
        "v": "ritardò riparò ereditò superò annullò esaminò ignorò limitò misurò occupò cambiò provò confrontò stimò "
        "frenò unì notò accorciò seguì verificò corresse rifiutò",
        "i": "riparare spiegare confrontare stimare scegliere calcolare tradurre misurare",
        "d": "quasi mai sempre piano poi",
        "w": "a b c",
    },
    """Come può <N> <i> il <n> <a> di <N>?
Perché <N> <v> il <n>, e <N> no?
Aiuta <N> a <i> un <n> con <N>.""",
    """<N> <d> <v> il <n> <a>, e <N> <v> un <n>.
A <N> il <n> <a> <v> <N> <#> volte.
Poiché <N> <v> il <n>, <N> <v> il <n> <a>.
Né <N> né <N> <v> quel <n> <a>.
Punto <#>: <N>, <n> <a>, <v> da <N>.""",
)

LANGUAGES: tuple[Language, ...] = (
    ENGLISH,
    CHINESE,
    SPANISH,
    GERMAN,
    FRENCH,
    JAPANESE,
    RUSSIAN,
    PORTUGUESE,
    KOREAN,
    ARABIC,
    HINDI,
    ITALIAN,
)

CODE_FRAMES: tuple[str, ...] = (
    "def <w>_<w>(<w>_<w>, <w>=<#>):\n    <w>_<w> = <w>.<w>_<w>(<w>)\n    return <w>_<w>\n",
    "    for <w>_<w> in <w>.<w>(<w>_<w>):\n        <w>_<w>[<w>] += <w> * <#>\n",
    "    if <w>_<w> > <w>_<w>:\n        raise ValueError('<w> <w> <w>')\n",
    "const <w><W> = <w>.<w><W>((<w>) => <w>.<w>[<#>]);\n",
    "func (<w> *<W><W>) <W><W>(<w> int) error {\n\treturn <w>.<w><W>(<w>, <#>)\n}\n",
    "SELECT <w>_<w>, SUM(<w>_<w>) FROM <w>_<w> WHERE <w> > <#> GROUP BY <w>_<w>;\n",
    "# <w> the <w> <w> before <N> <w>\n<w>_<w> = {'<w>': <#>, '<w>_<w>': <w>}\n",
    "class <W><W><W>:\n    <w>_<w>: <W><W>\n    <w>_<w>: int = <#>\n",
    "    let mut <w>_<w> = Vec::<<W><W>>::new();\n    <w>_<w>.push(<w>(<w>_<w>));\n",
    "assert <w>_<w>(<w>=<#>).<w>_<w> == <w>_<w>, <w>\n",
    "  <w>_<w>:\n    <w>: <w>-<w>-<#>\n    <w>_<w>: <w>.<w>\n",
    "Traceback: <W><W>Error in <w>_<w>.<w> line <#>: <w> <w> is not <w>_<w>\n",
)
