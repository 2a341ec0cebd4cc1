"""An account's part in a campaign, with what joins it to the others, as a part of the document."""

from __future__ import annotations

import numpy as np

from stillwatch.campaigns import Member
from stillwatch.evidence import Link, Trait
from stillwatch.findings import Evidence
from stillwatch.findings import Member as MemberPart
from stillwatch.outputs.assembled import NamedGroup
from stillwatch.outputs.moments import moment


def linked_by(group: NamedGroup, account_no: int) -> list[str]:
    """The kinds of links that join one account to others of its group."""
    weighed = group.candidate.weighed
    place = int(np.searchsorted(weighed.members, account_no))
    told = [o for o in weighed.observations if isinstance(o.kind, Link | Trait) and o.bits > 0]
    return [o.kind.name for o in told if weighed.hits[o.kind.name][place] == 1]


def _joins(group: NamedGroup, account_no: int, name: str) -> list[Evidence]:
    """What joins the account to the others, or does not although it joins most of them."""
    weighed = group.candidate.weighed
    place = int(np.searchsorted(weighed.members, account_no))
    evidence = []
    for seen in weighed.observations:
        if not isinstance(seen.kind, Link | Trait) or seen.bits <= 0:
            continue
        flag = int(weighed.hits[seen.kind.name][place])
        if flag < 0:
            continue
        inside = (seen.counts["hit"] + 1) / (seen.counts["members"] + 2)
        rate = weighed.rates[seen.kind.name]
        bits = np.log2(inside / rate) if flag else np.log2((1 - inside) / max(1e-9, 1 - rate))
        said = seen.kind.sees if flag else f"not {seen.kind.sees}"
        evidence.append(
            Evidence(
                id=f"{group.campaign_id}:{name}:{seen.kind.name}",
                subject=name,
                claim="membership",
                kind=seen.kind.name,
                view=seen.kind.view,
                bits=round(float(bits), 3),
                statement=said[0].upper() + said[1:],
                technique=seen.kind.technique,
                benign_causes=list(seen.kind.benign_causes),
            )
        )
    return evidence


def _theft(group: NamedGroup, member: Member, name: str) -> Evidence:
    """That the job came through a stolen key."""
    return Evidence(
        id=f"{group.campaign_id}:{name}:theft",
        subject=name,
        claim="holder_takes_part",
        kind="stolen_key",
        view="infrastructure",
        bits=-round(member.theft_bits, 3),
        technique="AML.T0012",
        statement=f"The account's {member.other} other exchanges come from places of their own, "
        f"whence {member.at_home} of the {member.exchanges} exchanges of the job come",
        benign_causes=["a holder who rents a second place to work from"],
    )


def member_part(group: NamedGroup, member: Member, name: str) -> MemberPart:
    """What the account `name` does in the campaign, what it is taken for, and why."""
    linked = linked_by(group, member.account_no)
    evidence = _joins(group, member.account_no, name)
    if member.stolen:
        evidence.append(_theft(group, member, name))
    joined = ", ".join(k.replace("_", " ") for k in linked[:4])
    reason = f"{member.exchanges} of its {member.exchanges + member.other} exchanges are this job"
    reason += f"; joined to other members by {joined}" if joined else "; nothing but the job joins it to the others"
    if member.stolen:
        reason = f"{member.exchanges} exchanges of this job came through its keys from places the holder never uses"
    return MemberPart(
        account_id=name,
        role=member.role,
        probability=round(member.probability, 6),
        exchanges=member.exchanges,
        other_exchanges=member.other,
        keys=[k for k, _ in member.keys],
        first=moment(member.first_us),
        last=moment(member.last_us),
        reason=reason,
        evidence=evidence,
    )
