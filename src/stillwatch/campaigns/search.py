"""The search: groups that share jobs, tested for one hand; those merged into pools; each pool judged with its jobs."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.campaigns.calibration import calibration
from stillwatch.campaigns.judgement import RIVALS, Judgement, judge
from stillwatch.engine import Engine
from stillwatch.evidence.cells import count_cells, count_groups, number_origins
from stillwatch.evidence.kind import VIEW_CAP, linkage
from stillwatch.evidence.weigh import Asked, Integers, Weighed, by_group, clusters, most_bits, weigh
from stillwatch.pools import (
    Business,
    Senders,
    Sent,
    communities,
    hands,
    main_jobs,
    membership,
    merged,
    parts,
    run_apart,
    with_their_jobs,
)
from stillwatch.workloads import Jobs
from stillwatch.workloads.jobs import MAIN_JOB

# An account is accused, a group is a campaign and a pool is taken as one hand where it is likelier than not.
LIKELY = 0.5
# Below one in ten a group is cleared; between that and likely it is left open, with what would decide it.
CLEARED = 0.1
# A part of a pool that is a campaign as a whole is held for one as well unless its own evidence says one in ten.
DOUBTED = 0.1
# The fewest accounts of a group that are tested once more without the others: half of the eight that a disclosed
# campaign is scaled down to.
LEAST_CORE = 4
# Busy accounts have some run of words in common by chance, and such groups grow faster than the traffic. Of what fewer
# accounts send as one of their main jobs no text may be shown (by default, see `k`), so nobody could look at it: such a
# group is weighed where it could be more than cleared, and else it is not told of.
LEAST_TOLD = 5
# How often groups are merged into pools and asked for their members: what a large pool swept up by mistake and left
# again is asked once more by itself.
TURNS = 2


# A number for each account's declared organisation, one of its own where it declares none. In SQL, of `known_accounts`
# as k; the table of accounts is to be named where it goes in.
OWNER = "dense_rank() OVER (ORDER BY coalesce('of ' || k.organization_id, CAST({of}.account_no AS VARCHAR)))"

# Told of a stage how much of how much is done; and the same within one stage.
Progress = Callable[[str, int, int | None], None]
Told = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A group of accounts that was considered, and what came of it.

    belonging: gives `membership`, and is asked where that matters, since of most groups it takes long and nobody asks.
    jobs: the recurring jobs that it was judged by.
    """

    weighed: Weighed
    judgement: Judgement
    belonging: Callable[[], npt.NDArray[np.float64]]
    jobs: tuple[int, ...]

    @property
    def membership(self) -> npt.NDArray[np.float64]:
        """For each of `weighed.members`, the probability that the hand runs it, if there is one."""
        return self.belonging()

    @property
    def verdict(self) -> Literal["campaign", "undetermined", "cleared"]:
        """Campaign where likelier than not and at least two accounts take part."""
        if self.judgement.probability >= LIKELY and (self.probabilities >= LIKELY).sum() >= 2:
            return "campaign"
        return "cleared" if self.judgement.probability < CLEARED else "undetermined"

    @property
    def probabilities(self) -> npt.NDArray[np.float64]:
        """For each of `weighed.members`, the probability that it takes part in this campaign."""
        return np.asarray(self.judgement.probability * self.membership, np.float64)


@dataclass(frozen=True, slots=True)
class _Sends:
    """Who sends how much of which job, and who has a contract."""

    sent: Senders
    contracted: npt.NDArray[np.bool_]
    everything: npt.NDArray[np.int64]
    owner: npt.NDArray[np.int64]

    def membership(
        self, group: Weighed, jobs: npt.NDArray[np.int64], known: npt.NDArray[np.int64] | None = None
    ) -> npt.NDArray[np.float64]:
        account, job = self.sent.account, self.sent.job
        at = self.sent.of_jobs(jobs)
        at = at[np.isin(account[at], group.members)]
        business = Business(
            np.searchsorted(group.members, account[at]),
            np.searchsorted(jobs, job[at]),
            self.sent.exchanges[at].astype(np.float64),
            self.everything[group.members],
            self.contracted[group.members],
            self.owner[group.members],
            np.isin(group.members, () if known is None else known),
        )
        return membership(group, business)


def _sends(engine: Engine, sent: pa.Table) -> _Sends:
    known = engine.query(
        "SELECT p.account_no, p.exchanges, k.verification = 'contract' AS contracted, "
        f"{OWNER.format(of='p')} AS owner "
        "FROM parties AS p LEFT JOIN known_accounts AS k ON k.account_no = p.account_no ORDER BY p.account_no"
    )
    contracted = pc.fill_null(known["contracted"], False).to_numpy()
    return _Sends(Senders(sent), contracted, known["exchanges"].to_numpy(), known["owner"].to_numpy())


def _jobs_of(jobs: pa.Table) -> dict[int, npt.NDArray[np.int64]]:
    """The jobs of each group, ascending."""
    return by_group(jobs["group_no"].to_numpy(), jobs["job"].to_numpy())


def _of_groups(groups: list[npt.NDArray[np.int64]], column: str, numbers: list[int] | None = None) -> pa.Table:
    """group_no and a column: one row for every value of every group, which are numbered from 0 on if not otherwise."""
    named = np.arange(len(groups)) if numbers is None else np.array(numbers, np.int64)
    of = np.repeat(named, [len(g) for g in groups])
    return pa.table({"group_no": of, column: np.concatenate([np.zeros(0, np.int64), *groups])})


@dataclass(frozen=True, slots=True)
class _Part:
    """Accounts and jobs that are judged together.

    likely: for each account, how likely the hand runs it, if there is one. ceiling: the most that P(one hand) may be.
    """

    accounts: npt.NDArray[np.int64]
    jobs: npt.NDArray[np.int64]
    likely: dict[int, float]
    ceiling: float


@dataclass(frozen=True, slots=True)
class _Search:
    """What every step of the search asks: the engine's tables, which columns are silent, and who sends what."""

    engine: Engine
    silent: frozenset[str]
    sends: _Sends
    progress: Progress
    asked: dict[str, Asked] = field(default_factory=dict)

    def weigh(self, accounts: pa.Table, jobs: pa.Table, progress: Told = lambda _, __: None) -> dict[int, Weighed]:
        """Weigh groups, given as (group_no, account_no) and (group_no, job), by their exchanges of these jobs."""
        self.engine.register("group_jobs", jobs)
        self.engine.register("candidates", accounts)
        count_groups(self.engine)
        return weigh(self.engine, accounts, self.silent, self.asked, progress)

    def of_jobs(self, jobs_of: dict[int, Integers]) -> list[Candidate]:
        """Groups that share jobs, given by these, each tested for one hand."""
        sent = self.sends.sent
        accounts = [np.unique(sent.account[sent.of_jobs(own)]) for own in jobs_of.values()]
        groups = _of_groups(accounts, "account_no", list(jobs_of))
        jobs = _of_groups(list(jobs_of.values()), "job", list(jobs_of))
        first = []

        def told(done: int, kinds: int) -> None:
            self.progress("evidence", len(jobs_of) * done // kinds, len(jobs_of))

        for number, weighed in self.weigh(groups, jobs, told).items():
            own = jobs_of[number]
            belonging = cache(partial(self.sends.membership, weighed, own))
            first.append(Candidate(weighed, judge(weighed), belonging, tuple(own.tolist())))
        return first

    def worth_weighing(self, jobs_of: dict[int, Integers], named: Collection[int]) -> frozenset[int]:
        """Of groups, given by their jobs, those that somebody could look at or that could be more than cleared; and all
        of accounts that were named."""
        if not jobs_of:
            return frozenset()
        sent, everybody = self.sends.sent, len(self.sends.everything)
        row, place = sent.of_each(np.concatenate(list(jobs_of.values())))
        of = np.repeat(np.arange(len(jobs_of)), [len(own) for own in jobs_of.values()])[place]
        account = sent.account[row]
        main = sent.exchanges[row] >= MAIN_JOB * self.sends.everything[account]
        mainly = np.unique(of[main] * everybody + account[main]) // everybody
        kept = np.bincount(mainly, minlength=len(jobs_of)) >= LEAST_TOLD
        kept[of[np.isin(account, list(named))]] = True
        group, account = np.divmod(np.unique(of * everybody + account), everybody)
        accounts = np.split(account, np.searchsorted(group, np.arange(1, len(jobs_of))))
        asked = np.flatnonzero(~kept)
        kept[asked] = self.may_be_more_than_cleared([accounts[n] for n in asked])
        return frozenset(number for number, keep in zip(jobs_of, kept, strict=True) if keep)

    def may_be_more_than_cleared(self, groups: list[Integers]) -> npt.NDArray[np.bool_]:
        """For each group whether links leave it any chance of a verdict other than cleared: whether it would get one
        if all else spoke for one hand as much as it ever can, and nothing against extraction or for a sanction."""
        rival = next(r for r in RIVALS["one_hand"] if r.name == "popular_artefact")
        least = calibration().product_for(CLEARED)
        needed = min(0.0, float(np.log2(least / (1 - least)))) - rival.prior_bits
        most = most_bits(self.engine, groups, self.silent, self.asked, against=("one_hand", rival.name))
        return np.asarray(most >= needed)

    def one_hand(self, groups: list[Candidate]) -> list[float]:
        """How likely each group is under one hand; of those that are likely, by all the accounts or by those that run
        more than one of the jobs.

        Who runs a single job may have met it anywhere, and hides what links the others. Chosen by what they send alone,
        the links speak of these as freely as of the whole group.
        """
        sure = [group.judgement.factors[0].probability for group in groups]
        cores: dict[int, npt.NDArray[np.int64]] = {}
        for number, group in enumerate(groups):
            if sure[number] >= LIKELY and len(group.jobs) > 1:
                core = self.runners(np.array(group.jobs, np.int64), 2)
                if LEAST_CORE <= len(core) < len(group.weighed.members):
                    cores[number] = core
        jobs = [np.array(groups[n].jobs, np.int64) for n in cores]
        for number, chance in zip(cores, self.alone(list(cores.values()), jobs), strict=True):
            sure[number] = max(sure[number], chance)
        return sure

    def pools(self, controlled: list[npt.NDArray[np.int64]], sure: list[float]) -> list[_Part]:
        """Groups of controlled accounts merged into pools, each with all its jobs and without the strangers."""
        found: list[_Part] = []
        waiting = list(range(len(controlled)))
        for _ in range(TURNS):
            pools = merged([controlled[n] for n in waiting])
            wide = with_their_jobs([accounts for accounts, _ in pools], self.sends.sent)
            jobs_of = _jobs_of(wide.jobs)
            kept: set[int] = set()
            for number, weighed in self.weigh(wide.accounts, wide.jobs).items():
                self.progress("pools", number, len(pools))
                of = [waiting[n] for n in pools[number][1]]
                own = jobs_of[number]
                r = self.sends.membership(weighed, own, _confirmed([controlled[n] for n in of]))
                accounts = weighed.members[r >= LIKELY]
                stayed = [n for n in of if 2 * np.isin(controlled[n], accounts).sum() >= len(controlled[n])]
                if len(accounts) < 2 or not stayed:
                    continue
                kept |= set(stayed)
                likely = dict(zip(weighed.members.tolist(), r.tolist(), strict=True))
                found.append(_Part(accounts, own, likely, max(sure[n] for n in stayed)))
            # A group that its pool left behind may be a pool by itself, or with others that were left.
            left = [n for n in waiting if n not in kept]
            if not kept or not left:
                break
            waiting = left
        # With all their jobs, pools may turn out to be one: they are merged once more.
        return [_together(accounts, [found[n] for n in of]) for accounts, of in merged([f.accounts for f in found])]

    def surer(self, pools: list[_Part]) -> list[_Part]:
        """Pools with a ceiling that heeds whoever runs a pool's jobs, and whoever runs more than one, also whom no link
        joins: accounts are chosen by what they send, as for a group. The jobs are those that linked accounts mostly
        run, so this is less fair a test than a group's; nobody was accused by it on nine worlds of look-alikes. A
        pool's jobs may be of several groups, of which each by itself shows less."""
        ceilings = [pool.ceiling for pool in pools]
        for least in (1, 2):
            runners = [self.runners(pool.jobs, least) for pool in pools]
            asked = [n for n, accounts in enumerate(runners) if len(accounts) >= LEAST_CORE]
            chances = self.alone([runners[n] for n in asked], [pools[n].jobs for n in asked])
            for n, chance in zip(asked, chances, strict=True):
                ceilings[n] = max(ceilings[n], chance)
        return [replace(pool, ceiling=ceiling) for pool, ceiling in zip(pools, ceilings, strict=True)]

    def runners(self, jobs: npt.NDArray[np.int64], least: int) -> npt.NDArray[np.int64]:
        """Accounts that run so many of these jobs."""
        accounts, count = np.unique(self.sends.sent.account[self.sends.sent.of_jobs(jobs)], return_counts=True)
        return np.asarray(accounts[count >= least], np.int64)

    def alone(self, accounts: list[npt.NDArray[np.int64]], jobs: list[npt.NDArray[np.int64]]) -> list[float]:
        """How likely accounts with jobs are under one hand."""
        weighed = self.weigh(_of_groups(accounts, "account_no"), _of_groups(jobs, "job"))
        return [judge(weighed[n]).factors[0].probability for n in range(len(accounts))]

    def judged(self, pools: list[_Part]) -> list[Candidate]:
        """Each pool divided into the campaigns that it serves.

        Where a part by itself is no campaign, the pool is judged as a whole. If that is one, each part is held for what
        the whole is that links join to the rest and against which nothing speaks clearly: what little is seen of it
        does not outweigh what its hand does elsewhere. Only where those hold no more than half of the accounts was it
        no division into campaigns, and the pool stays one.
        """
        divided = [self.divided(pool) for pool in pools]
        in_turn = iter(self.candidates([part for parts_of in divided for part in parts_of]))
        several = [[next(in_turn) for _ in parts_of] for parts_of in divided]
        falls = [len(s) == 1 or all(c.verdict == "campaign" for c in s) for s in several]
        wholes = iter(self.candidates([pool for pool, well in zip(pools, falls, strict=True) if not well]))
        found = [c for s, well in zip(several, falls, strict=True) if well for c in s]
        for parts_of in (s for s, well in zip(several, falls, strict=True) if not well):
            whole = next(wholes)
            sound = [part.judgement.product >= DOUBTED for part in parts_of]
            held = sum(len(part.weighed.members) for part, well in zip(parts_of, sound, strict=True) if well)
            if whole.verdict == "campaign" and 2 * held > sum(len(part.weighed.members) for part in parts_of):
                joined = hands(whole.weighed)
                found += [
                    replace(part, judgement=whole.judgement) if well and _of_one_hand(part, joined) else part
                    for part, well in zip(parts_of, sound, strict=True)
                ]
            else:
                found.append(whole)
        return found

    def divided(self, pool: _Part) -> list[_Part]:
        """The campaigns that a pool may serve."""
        everybody = self.sends.sent
        theirs = everybody.of_accounts(pool.accounts)
        theirs = theirs[np.isin(everybody.job[theirs], pool.jobs)]
        account, job, sent = everybody.account[theirs], everybody.job[theirs], everybody.exchanges[theirs]
        main = main_jobs(account, job, sent, everybody.runners[job])
        several = parts(account, job, sent, main)
        if len(several) == 1:
            several = run_apart(self.by_hour(pa.table({"account_no": account, "job": job, "main": main})))
        return [_Part(accounts, own, pool.likely, pool.ceiling) for accounts, own in several]

    def by_hour(self, main: pa.Table) -> Sent:
        """What a pool's accounts send of its jobs, by hour; main: account_no, job and whether it is a main one."""
        self.engine.register("pool_jobs", main)
        found = self.engine.query(
            "SELECT p.account_no, p.job, t.bin // 6 AS hour, p.main, count(*) AS exchanges FROM pool_jobs AS p "
            "JOIN job_traffic AS j ON j.job = p.job AND j.account_no = p.account_no "
            "JOIN traffic AS t ON t.exchange_no = j.exchange_no "
            "GROUP BY p.account_no, p.job, t.bin // 6, p.main ORDER BY p.account_no, p.job, hour"
        )
        return Sent(*(found[name].to_numpy() for name in ("account_no", "job", "hour", "exchanges", "main")))

    def candidates(self, given: list[_Part]) -> list[Candidate]:
        """Judge parts, in their order."""
        accounts, jobs = (
            _of_groups([g.accounts for g in given], "account_no"),
            _of_groups([g.jobs for g in given], "job"),
        )
        made = []
        for number, weighed in self.weigh(accounts, jobs).items():
            part = given[number]
            r = np.array([part.likely[m] for m in weighed.members.tolist()])
            made.append(
                Candidate(weighed, judge(weighed, part.ceiling), partial(np.copy, r), tuple(part.jobs.tolist()))
            )
        return made


def _of_one_hand(part: Candidate, joined: list[npt.NDArray[np.int64]]) -> bool:
    """Whether links join most of a part's accounts to accounts beside it; joined: the clusters that links make."""
    own = part.weighed.members
    beside = [np.isin(own, cluster).sum() for cluster in joined if not np.isin(cluster, own).all()]
    return bool(2 * sum(beside) > len(own))


def _together(accounts: npt.NDArray[np.int64], of: list[_Part]) -> _Part:
    """Several parts as one: as likely as where each account was likeliest."""
    likely = {m: max(part.likely.get(m, 0.0) for part in of) for m in accounts.tolist()}
    return _Part(accounts, np.unique(np.concatenate([p.jobs for p in of])), likely, max(p.ceiling for p in of))


def find(
    engine: Engine,
    jobs: Jobs,
    silent: frozenset[str],
    progress: Progress = lambda _, __, ___: None,
    named: Collection[int] = (),
) -> list[Candidate]:
    """Every group that was considered: pools first, then the groups of which no hand was found, but for those that can
    only be cleared and that hardly anybody sends as a main job.

    From one side, groups that share jobs are tested for one hand; nothing was selected by links yet, so that test is a
    fair one. From the other, accounts that links join are tested for jobs in common, which the links did not ask.
    No pool is held for likelier under one hand than the likeliest of its groups was. Accounts that were singled out,
    merged over groups, are the pool; with all its jobs it is judged again, without the strangers.

    The engine holds `traffic`, `parties`, `account_exits`, `account_jobs`, `job_traffic`, `job_intents`,
    `known_accounts`, `models`; left there is `cleared_unweighed`, the accounts of the groups that are not told of.
    silent: columns without any value, whose kinds of evidence stay silent. progress: told of the stages `evidence` and
    `pools` how many of how many groups and pools are done. named: accounts that analysts spoke of.
    """
    progress("evidence", 0, None)
    count_cells(engine)
    number_origins(engine)
    search = _Search(engine, silent, _sends(engine, jobs.sent), progress)
    jobs_of = _jobs_of(jobs.groups)
    kept = search.worth_weighing(jobs_of, named)
    first = search.of_jobs({number: own for number, own in jobs_of.items() if number in kept})
    progress("pools", 0, None)
    controlled, sure = _controlled(first, search.one_hand(first))
    for accounts, chance in _common_jobs(communities(engine, silent), search.sends.sent, len(search.sends.everything)):
        controlled.append(accounts)
        sure.append(chance)
    judged = search.judged(search.surer(search.pools(controlled, sure)))
    taken = _taken(judged)
    cleared = [own for number, own in jobs_of.items() if number not in kept and not taken.issuperset(own.tolist())]
    sent = search.sends.sent
    theirs = np.unique(sent.account[sent.of_jobs(np.unique(np.concatenate([np.zeros(0, np.int64), *cleared])))])
    engine.register("cleared_unweighed", pa.table({"account_no": theirs}))
    return judged + _left(first, taken)


def _confirmed(groups: list[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    """Of a pool that many groups make up, the accounts that more than one of them holds: in one group or another a few
    strangers always slip in. Of two groups or one, all their accounts."""
    accounts, count = np.unique(np.concatenate(groups), return_counts=True)
    several = accounts[count > 1]
    return several if len(groups) > 2 and len(several) > 1 else accounts


def _taken(judged: list[Candidate]) -> frozenset[int]:
    """The jobs of pools."""
    return frozenset(job for candidate in judged for job in candidate.jobs)


def _left(first: list[Candidate], taken: frozenset[int]) -> list[Candidate]:
    """The groups of the first test that no pool stands for and that did not look like one hand: what was cleared."""
    return [
        group
        for group in sorted(first, key=lambda c: (-len(c.weighed.members), c.jobs))
        if group.judgement.factors[0].probability < LIKELY and not set(group.jobs) <= taken
    ]


def _common_jobs(
    joined: list[npt.NDArray[np.int64]], sent: Senders, accounts: int
) -> list[tuple[npt.NDArray[np.int64], float]]:
    """Of accounts that links join, those that run jobs in common, and how likely that makes one hand.

    The links chose these accounts, so they cannot speak for them again; what they do was not asked yet. Asked in two
    ways, of which the better counts, since one hand may run one public job or many wordings of its own: do more of them
    run one job than of all others (jobs beyond the first one looked at are paid for, Bonferroni)? And are more of them
    hit than others are, where an account is hit if of the others who run one of its jobs half are of the community?
    """
    prior = next(r.prior_bits for r in RIVALS["one_hand"] if r.name == "popular_artefact")
    found = []
    for members in joined:
        rows = sent.of_accounts(members)
        account, job = sent.account[rows], sent.job[rows]
        run_by_them, which, theirs = np.unique(job, return_inverse=True, return_counts=True)
        if not (theirs > 1).any():
            continue
        runners = sent.runners[run_by_them]
        chances, outsiders = len(members) - 1, accounts - len(members)
        common = np.unique(np.stack([theirs, runners])[:, theirs > 1], axis=1).T.tolist()
        one = max(linkage(n - 1, chances, everywhere - n, outsiders) for n, everywhere in common)
        # A member's own run of a job is left out of those that are of the community.
        hit = ((theirs > 1) & (2 * (theirs - 1) >= runners - 1))[which]
        joins = 0
        if hit.any():
            run, label = clusters(account[hit], job[hit])
            joins = len(run) - len(np.unique(label))
        mostly_theirs = sent.account[sent.of_jobs(run_by_them[2 * theirs >= runners - 1])]
        many = linkage(joins, chances, len(np.setdiff1d(mostly_theirs, members)), outsiders)
        best = min(VIEW_CAP, max(one - np.log2((theirs > 1).sum()), many)) + prior
        if best >= 0:
            accounts_of = np.unique(account[(theirs > 1)[which]])
            found.append((accounts_of, float(1.0 / (1.0 + 2.0**-best))))
    return found


def _controlled(groups: list[Candidate], likely: list[float]) -> tuple[list[npt.NDArray[np.int64]], list[float]]:
    """The accounts of each group that one hand seems to run, and those of every further hand that links show in it;
    with each, how likely the group is under one hand."""
    controlled, sure = [], []
    for group, one_hand in zip(groups, likely, strict=True):
        if one_hand < LIKELY:
            continue
        members = group.weighed.members
        run = group.membership >= LIKELY
        main = members[run]
        others = [h for h in hands(group.weighed) if not run[np.searchsorted(members, h)].any()]
        for accounts in [main, *others]:
            if len(accounts) >= 2:
                controlled.append(accounts)
                sure.append(one_hand)
    return controlled, sure
