"""Renders an edit list to one film: exact pictures, exact sound.

The pictures are decoded here, each stretch from the keyframe before it through one open file a
source, brought to one size and handed to ONE ffmpeg process that encodes from the first to the
last; the sound is put together sample by sample in a temporary file that the same process reads.
Other ways were weighed and left:

* one filter graph with an input for each cut: hundreds of open files and decoders, and what
  programs that export so die of;
* a file for each cut, joined afterwards: seams of B-frames and of sound priming, one start of
  ffmpeg and one reading of an hours-long index for every cut;
* `ffmpeg -ss`: a transport stream is found again only roughly, and a source without a clock not at
  all; what the decoder gives is then off by frames that nobody counted.

So a frame is chosen by the time it carries when it comes out of the decoder, by the same rule that
scored it; no cut is a seam for the encoder; and memory and open files do not grow with the number
of cuts.
"""
