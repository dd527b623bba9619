"""A diagnosis: all that lies in a folder and what is wrong with it, and the files that can be made of it."""

from dataclasses import dataclass
from pathlib import Path

from maskwright.data import dataset_file, doctor
from maskwright.data.described import describe
from maskwright.data.described import write as write_described
from maskwright.data.doctor import Finding
from maskwright.data.fingerprint import Fingerprint
from maskwright.data.sample import Samples
from maskwright.data.survey import Survey
from maskwright.errors import DataError
from maskwright.evaluation.data_page import write_data_page


@dataclass(frozen=True)
class Diagnosis:
    """What `diagnose` finds: all that lies in a folder, and what is wrong with it, worst first."""

    survey: Survey
    findings: tuple[Finding, ...]
    fingerprint: Fingerprint | None
    """None where a training would be refused."""

    @property
    def errors(self) -> list[Finding]:
        """What a training would be refused for, or would learn wrongly."""
        return [finding for finding in self.findings if finding.severity == "error"]

    @property
    def samples(self) -> Samples:
        """What a training would get.

        Raises:
            DataError: it would be refused; says why.
        """
        if self.survey.samples is None:
            raise DataError(f"{self.survey.root} cannot be read as a data set yet: {self.survey.faults[0]}")
        return self.survey.samples

    def write_fixed(self, path: str | Path | None = None) -> tuple[Path, tuple[Finding, ...]]:
        """Write a `dataset.yaml` with the remedies that need no person. Returns its path and the findings it mends.

        path: a new file; None: `dataset.yaml` in the data's folder, or `dataset.fixed.yaml` where that is there.

        Raises:
            DataError: the file is there already, or no finding has a remedy of this kind.
        """
        root, name = self.survey.root, Path(dataset_file.NAME)
        target = Path(path) if path is not None else root / name
        if path is None and target.exists():
            target = target.with_stem(f"{name.stem}.fixed")
        if target.exists():
            raise DataError(f"{target} is there already; nothing is written over. Give another file to --fix-to.")
        file, taken = doctor.mended(self.survey.stated, self.findings)
        if not taken:
            raise DataError("No finding has a remedy that needs no person; see what each says is to be done.")
        elsewhere = target.resolve().parent != root.resolve()
        return file.model_copy(update={"path": str(root.resolve()) if elsewhere else None}).save(target), taken

    def write(self, path: str | Path) -> Path:
        """Write what was recognised as a `dataset.yaml`, each line with its reason. Returns its path.

        path: a new file, or the folder that gets a `dataset.yaml`; nothing is written over.

        Raises:
            DataError: a training would be refused, or the file is there already.
        """
        return write_described(path, describe(self.survey, self.survey.asked))

    def write_page(self, path: str | Path) -> Path:
        """Write everything as one HTML page with pictures. Returns its path."""
        return write_data_page(self.survey, self.findings, self.fingerprint, path)
