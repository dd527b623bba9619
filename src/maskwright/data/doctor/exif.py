"""Images that are turned by a note of the camera."""

from collections import Counter
from collections.abc import Iterator

from maskwright.data.doctor.evidence import image_files, names, said
from maskwright.data.doctor.registry import Finding, checks
from maskwright.data.survey import Survey


class Exif:
    """Images turned by EXIF whose masks have the size of the upright image. Masks that lie as the sensor saw it are
    told by their size, or by `alignment` where the size says nothing.
    """

    quick = True

    def __call__(self, survey: Survey) -> Iterator[Finding]:
        """One note for all."""
        turned = [one for one in survey.measured if one.sample.mask and one.look.orientation > 1]
        if not turned:
            return
        noted = sum(one.look.mask_orientation > 1 for one in turned)
        kinds = Counter(one.look.orientation for one in turned)
        yield Finding(
            code="exif",
            severity="note",
            title=f"{said(len(turned), 'image is', 'images are')} turned by EXIF, and the masks follow in size",
            files=image_files(one.sample for one in turned),
            why="The camera stored them as the sensor saw it; they are turned upright when read, here and in "
            "prediction. A program that ignores the note shows image and mask askew.",
            remedy="Nothing to do here; look at a few of them under their masks.",
            pictures=names(one.sample for one in turned),
            details=(
                ", ".join(f"orientation {o}: {said(n, 'image')}" for o, n in sorted(kinds.items())),
                *([f"masks that have such a note of their own and are turned likewise: {noted}"] if noted else []),
            ),
        )


checks.register("exif")(Exif())
