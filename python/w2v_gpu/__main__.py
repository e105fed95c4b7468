"""``python -m w2v_gpu`` is the program ``w2v-gpu``."""

from w2v_gpu._cli import main

main()
