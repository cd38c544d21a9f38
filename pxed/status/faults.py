"""A fault found in one boot: the cause, its evidence, and the remedy."""

from __future__ import annotations

from dataclasses import dataclass

from pxed.status.wordings import WORDINGS, Fault, Severity


@dataclass(frozen=True, slots=True)
class Finding:
    """A named fault of one boot."""

    fault: Fault
    severity: Severity
    stage: str  # of the boot, where it stands still
    since: float  # seconds since 1970
    cause: str
    evidence: tuple[str, ...]
    remedy: str

    @property
    def sentence(self) -> str:
        """Cause and remedy in one line."""
        return f"{self.cause}. {self.remedy}."

    def as_dict(self) -> dict[str, object]:
        """As the API has it."""
        return {
            "fault": str(self.fault),
            "severity": str(self.severity),
            "stage": self.stage,
            "since": round(self.since, 3),
            "cause": self.cause,
            "evidence": list(self.evidence),
            "remedy": self.remedy,
        }


def finding(fault: Fault, stage: str, since: float, *evidence: str, **values: object) -> Finding:
    """A fault in words. Values that the wording has no place for are left out; one that is missing is an error."""
    wording = WORDINGS[fault]
    cause, remedy = wording.cause.format_map(values), wording.remedy.format_map(values)
    return Finding(fault, wording.severity, stage, since, cause, tuple(e for e in evidence if e), remedy)
