// Performance runs the benchmarks of the root package and prints their medians as the
// tables of docs/performance.md. What the benchmarks themselves print goes to the
// standard error, for benchstat.
//
//	go run ./internal/performance -count 6 2>new.txt
package main

import (
	"bufio"
	"cmp"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

func main() {
	count := flag.Int("count", 6, "runs of each benchmark")
	benchtime := flag.String("benchtime", "1s", "time of each run, as for go test")
	flag.Parse()
	if err := run(*count, *benchtime); err != nil {
		fmt.Fprintln(os.Stderr, "performance:", err)
		os.Exit(1)
	}
}

// results has the figures of each benchmark by their units, one for each run.
type results struct {
	names []string // in the order in which they came
	of    map[string]map[string][]float64
	cpu   string
}

func run(count int, benchtime string) error {
	versions, err := exec.Command("go", "list", "-m", "-f", "{{.Path}} {{.Version}}",
		"github.com/sashabaranov/go-openai", "go.opentelemetry.io/otel/sdk").Output()
	if err != nil {
		return fmt.Errorf("go list: %w; run it in the module", err)
	}
	//nolint:gosec // whoever runs it chooses the arguments
	cmd := exec.Command("go", "test", "-run", "^$", "-bench", ".", "-benchtime", benchtime, "-count", strconv.Itoa(count), ".")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	r, err := read(io.TeeReader(out, os.Stderr))
	if err := cmp.Or(cmd.Wait(), err); err != nil {
		return fmt.Errorf("go test -bench: %w", err)
	}
	fmt.Printf("%s, %d cores, %s/%s, %s, %s.\n\n", r.cpu, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(),
		strings.Join(strings.Split(strings.TrimSpace(string(versions)), "\n"), ", "))
	r.print(os.Stdout)
	return nil
}

// read reads the output of go test -bench.
func read(out io.Reader) (results, error) {
	r := results{of: map[string]map[string][]float64{}}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if cpu, ok := strings.CutPrefix(lines.Text(), "cpu: "); ok {
			r.cpu = cpu
		}
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		name := strings.TrimPrefix(fields[0], "Benchmark")
		if i := strings.LastIndexByte(name, '-'); i > 0 { // the number of cores
			name = name[:i]
		}
		if r.of[name] == nil {
			r.names = append(r.names, name)
			r.of[name] = map[string][]float64{}
		}
		for figure := range slices.Chunk(fields[2:], 2) {
			if n, err := strconv.ParseFloat(figure[0], 64); err == nil && len(figure) == 2 {
				r.of[name][figure[1]] = append(r.of[name][figure[1]], n)
			}
		}
	}
	return r, lines.Err()
}

// print prints a table for each benchmark, and a row for each of its workloads.
func (r *results) print(w io.Writer) {
	columns := []struct {
		unit, title, format string
		scale               float64
	}{
		{"bare-ns", "bare call, µs", "%.1f", 1e-3},
		{"floor-ns", "floor, µs", "%.1f", 1e-3},
		{"added-ns", "added, µs", "%.1f", 1e-3},
		{"share", "added ÷ bare", "%.2f", 1},
		{"allocs+", "allocations more", "%.0f", 1},
		{"B+", "KB more", "%.1f", 1e-3},
		{"B/request", "request, B", "%.0f", 1},
		{"B/stream", "heap for each stream, B", "%.0f", 1},
	}
	last := ""
	for _, name := range r.names {
		benchmark, workload, _ := strings.Cut(name, "/")
		figures := r.of[name]
		if benchmark != last {
			if last != "" {
				fmt.Fprintln(w)
			}
			titles := []string{benchmark}
			for _, c := range columns {
				if figures[c.unit] != nil {
					titles = append(titles, c.title)
				}
			}
			printRow(w, titles)
			printRow(w, slices.Repeat([]string{"---"}, len(titles)))
			last = benchmark
		}
		row := []string{strings.ReplaceAll(workload, "_", " ")}
		for _, c := range columns {
			if values := figures[c.unit]; values != nil {
				row = append(row, fmt.Sprintf(c.format, c.scale*median(values)))
			}
		}
		printRow(w, row)
	}
}

func printRow(w io.Writer, cells []string) { fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | ")) }

func median(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}
