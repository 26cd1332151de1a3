#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT: 240
"""Random registries in every format, read by others; long_registries.py has 10,000."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import registries

if __name__ == '__main__':
    registries.run(150, 3)
