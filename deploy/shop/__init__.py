"""`make shop`: examples/shop deployed end to end, and then a fourth region added by one file.

__main__.py    the command
story.py       what is done, by `interlock` commands and on real processes; the demo's stage
cloud.py       what there is in the cloud, in words
verdict.py     what there has to be, and everything else that must be true; pure
"""
