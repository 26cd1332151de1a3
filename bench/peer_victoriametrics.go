// SPDX-License-Identifier: Apache-2.0

// peer_victoriametrics FILE: the metrics package of VictoriaMetrics, showing the counters of FILE,
// an exposition of the exporter. It does not compress. Prints its port on 127.0.0.1 and ends when
// its standard input does. Built by bench/extra_exporter.py with Debian's packages, without a
// network.
package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/VictoriaMetrics/metrics"
)

func main() {
	file, err := os.Open(os.Args[1])
	if err != nil {
		panic(err)
	}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		name, value, found := strings.Cut(lines.Text(), "} ")
		if !found || !strings.HasPrefix(name, "bot_") {
			continue
		}
		n, _ := strconv.Atoi(value)
		metrics.GetOrCreateCounter(name + "}").Set(uint64(n))
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	http.HandleFunc("/metrics", func(w http.ResponseWriter, r *http.Request) {
		metrics.WritePrometheus(w, false)
	})
	go http.Serve(listener, nil)
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	io.Copy(io.Discard, os.Stdin)
}
