#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT: 1500
"""10,000 random registries in every format, read by others."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import registries

if __name__ == '__main__':
    registries.run(int(os.environ.get('ROUNDS', '10000')), 30)
