#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The manual pages tell what the headers and the layout say."""
import os
import re
import subprocess
import sys
import unittest

SRC = os.environ["SRCDIR"]


def read(*path):
    with open(os.path.join(SRC, *path), encoding="utf-8") as f:
        return f.read()


class ManPages(unittest.TestCase):
    def test_section_3_is_what_the_headers_say(self):
        done = subprocess.run([sys.executable, os.path.join(SRC, "scripts", "man3"), "--check"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_every_exported_function_has_a_page(self):
        for header in ("shardmeter.h", "shardmeter_reader.h"):
            names = re.findall(r"(?m)^SM_API [^;]*?\b(sm_\w+)\(", read("include", header))
            self.assertGreater(len(names), 10)
            for name in names:
                if not name.endswith("_"):
                    self.assertTrue(os.path.exists(os.path.join(SRC, "docs", "man", name + ".3")), name)

    def test_section_5_has_every_field_of_the_layout_at_its_offset(self):
        page = read("docs", "man", "shardmeter.5")
        rows = {}
        struct = None
        for line in page.split("\n"):
            m = re.match(r"\.SS .*\(struct (\w+), (\d+) bytes\)", line)
            if m:
                struct = m.group(1)
                rows[struct] = {"size": int(m.group(2))}
            m = re.match(r"(\d+)\|[^|]*\|(\w+)\|", line)
            if m and struct:
                rows[struct][m.group(2)] = int(m.group(1))
        layout = read("libshm", "layout.h")
        fields = re.findall(r"(?m)^SM_AT\((\w+), (\w+), (\d+)\);", layout)
        self.assertGreater(len(fields), 100)
        for name, field, offset in fields:
            if not field.startswith("reserved"):
                self.assertEqual(rows[name].get(field), int(offset), "%s.%s" % (name, field))
        for name, size in re.findall(r"(?m)^SM_SIZE\((\w+), (\d+)\);", layout):
            self.assertEqual(rows[name]["size"], int(size), name)


if __name__ == "__main__":
    unittest.main()
