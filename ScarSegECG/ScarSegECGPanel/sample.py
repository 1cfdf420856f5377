"""The simulated patient, for the panel's button and for Slicer's Sample Data; nothing is downloaded."""

from pathlib import Path

import slicer

from ScarSegECGPanel.packages import INFERENCE, ensure, named

PHANTOM_NAME = "ScarSegECG simulated patient"
RESOURCES = Path(__file__).parents[1] / "Resources"


def registerSampleData(load) -> None:
    """Offer the simulated patient in the Sample Data module; the packages are asked for first, as in the panel."""
    import SampleData

    def download(source):
        try:
            ensure(str(RESOURCES / INFERENCE))
        except Exception as error:  # declined, offline or failed: pip's own log has been shown
            slicer.util.errorDisplay(named(error) or str(error))
            return None
        return load()

    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="ScarSegECG",
        sampleName=PHANTOM_NAME,
        uris="",
        fileNames="",
        nodeNames=PHANTOM_NAME,
        thumbnailFileName=str(RESOURCES / "Icons" / "ScarSegECG.png"),
        customDownloader=download,
    )


def loadPhantomPatient(parameterNode):
    """Choose its LGE stack and ECG as inputs; returns the volume node.

    The files go to a folder of their own among Slicer's temporary files: the ECG is then read like any other.
    """
    from ScarSegECGLib.lge.read import read_lge
    from ScarSegECGLib.training.phantom import phantom_patient, write_phantom

    patient = phantom_patient()
    files = write_phantom(Path(slicer.util.tempDirectory("ScarSegECG")), patient)
    stack = read_lge(files["lge"])
    stored = stack.storage.to_stored(stack.voxels)
    volumeNode = slicer.util.addVolumeFromArray(stored, stack.stored_ijk_to_ras, PHANTOM_NAME)
    parameterNode.inputVolume = volumeNode
    parameterNode.contrast = "Magnitude"
    parameterNode.mriDate = patient.mri_date.strftime("%Y-%m-%d")
    parameterNode.ecgPath = str(files["ecg"])
    parameterNode.ecgDate = ""
    parameterNode.eventBetween = False
    return volumeNode
