# SPDX-License-Identifier: Apache-2.0
# TIMEOUT: 600
"""test_history_kills.py, 500 times."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
os.environ.setdefault('HISTORY_KILLS', '500')
import test_history_kills

if __name__ == '__main__':
    test_history_kills.run_tests(vars(test_history_kills))
