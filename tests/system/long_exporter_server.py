# SPDX-License-Identifier: Apache-2.0
# TIMEOUT: 300
"""What test_exporter_server.py shows on a small scale: 50 restarts, 1,000 slow clients."""
import http.client
import os
import sys

os.environ.setdefault('RESTARTS', '50')
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from exporter_util import Place, run_tests
from server_util import Drippers, scrape_times
from test_exporter_server import address, test_restarts_under_load_fail_no_scrape

SOURCES = [f'127.0.1.{i}' for i in range(1, 51)]


def test_a_thousand_slow_clients_and_a_hundred_idle_ones():
    for flags in ((), ('--web.max-connections=2000', '--web.max-connections-per-ip=2000')):
        with Place() as p:
            p.feeder()('series', 'a_total', 1000)
            e = p.exporter(*flags, storage=False)
            idle = [http.client.HTTPConnection(e.address, timeout=20,
                                               source_address=(SOURCES[i % 50], 0))
                    for i in range(100)]
            for c in idle:
                c.request('GET', '/-/healthy')
                assert c.getresponse().read()
            quiet = scrape_times(e.address, 300)
            with Drippers(address(e), 1000, SOURCES, pause_s=1.0) as drippers:
                loaded = scrape_times(e.address, 300)
            print(f'{drippers.connections} slow connections; p99 of a scrape: {quiet[296] * 1e3:.2f} ms '
                  f'alone, {loaded[296] * 1e3:.2f} ms among them; {" ".join(flags)}')
            for c in idle:
                c.request('GET', '/-/healthy')
                assert c.getresponse().read(), 'idle connections stay'
                c.close()
            assert e.stop() == 0


if __name__ == '__main__':
    run_tests(globals())
