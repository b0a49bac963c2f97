"""Names of the frame properties of the VapourSynth filter, which the core reads from recordings."""

SCORES = {
    "overall": "DoverOverall",
    "technical": "DoverTechnical",
    "aesthetic": "DoverAesthetic",
}
RAW = {"technical": "DoverTechnicalRaw", "aesthetic": "DoverAestheticRaw"}
SEGMENT, START, END = "DoverSegment", "DoverSegmentStart", "DoverSegmentEnd"
MODEL, FUSION, WEIGHTS = "DoverModel", "DoverFusion", "DoverWeights"
NEEDED = (SEGMENT, START, END, MODEL, FUSION, WEIGHTS)
ALL = (*SCORES.values(), *RAW.values(), *NEEDED)
DIFFERENCES = {score: f"{name}Difference" for score, name in SCORES.items()}  # of dover_compare
