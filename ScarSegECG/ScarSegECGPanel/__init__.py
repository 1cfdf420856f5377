"""What the module ScarSegECG is made of inside Slicer: Qt and MRML, no computing."""
