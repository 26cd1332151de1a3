// SPDX-License-Identifier: Apache-2.0

// peer_client_golang FILE: client_golang's handler, showing the counters of FILE, an exposition of
// the exporter. Prints its port on 127.0.0.1 and ends when its standard input does. Built by
// bench/extra_exporter.py with Debian's packages, without a network.
package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

var line = regexp.MustCompile(`^(bot_\w+_total)\{command="([^"]*)",status="([^"]*)"\} (\d+)$`)

func main() {
	file, err := os.Open(os.Args[1])
	if err != nil {
		panic(err)
	}
	registry := prometheus.NewRegistry()
	vectors := map[string]*prometheus.CounterVec{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		m := line.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		v := vectors[m[1]]
		if v == nil {
			v = prometheus.NewCounterVec(prometheus.CounterOpts{
				Name: m[1], Help: "A benchmark's family.",
			}, []string{"command", "status"})
			registry.MustRegister(v)
			vectors[m[1]] = v
		}
		n, _ := strconv.ParseFloat(m[4], 64)
		v.WithLabelValues(m[2], m[3]).Add(n)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	http.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	go http.Serve(listener, nil)
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	io.Copy(io.Discard, os.Stdin)
}
