"""What crashes left: tell it, mend it, and make anew what cannot be mended."""
