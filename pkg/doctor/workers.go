package doctor

import (
	"context"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

// process is a running program.
type process struct {
	pid, parent int
	args        []string
}

// instance looks for workers that run already: two on one machine take the
// same name, and a second Swarming bot restarts the machine after 5 minutes.
func (e *exam) instance(ctx context.Context) []Finding {
	all, err := e.processList(ctx)
	if err != nil {
		return one(unknown("%v", err))
	}
	var found []string
	for _, p := range workers(all) {
		found = append(found, fmt.Sprintf("%s (pid %d)", workerName(p.args), p.pid))
	}
	switch len(found) {
	case 0:
		return one(ok("none runs"))
	case 1:
		return one(ok("one runs: %s", found[0]))
	}
	return one(warn("stop all but one, unless each has a host name and a work directory of its own", "%d run: %s", len(found), strings.Join(found, ", ")))
}

// workers returns the workers among all processes, each with its topmost
// process only: what a worker has started belongs to it.
func workers(all []process) []process {
	parents := map[int]int{}
	names := map[int]bool{}
	for _, p := range all {
		parents[p.pid] = p.parent
		if workerName(p.args) != "" && p.pid != os.Getpid() {
			names[p.pid] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(p process) bool {
		if !names[p.pid] {
			return true
		}
		for range all { // at most so many steps up, should the list be torn
			parent, known := parents[p.pid]
			if !known || parent == p.pid {
				break
			}
			if names[parent] {
				return true
			}
			p.pid = parent
		}
		return false
	})
}

// workerName returns what a process with this command line is, or "" if it is
// no worker.
func workerName(args []string) string {
	for i, arg := range args {
		base := path.Base(strings.ReplaceAll(arg, `\`, "/"))
		base = strings.TrimSuffix(base, ".exe")
		switch {
		case i == 0 && (base == "bootstrapswarm" || base == "stage0" || base == "buildlet" || strings.HasPrefix(base, "buildlet.")):
			return base
		case i == 0 && base == "gobuild":
			for _, sub := range args[1:] {
				if slices.Contains([]string{"run-bot", "stage0", "buildlet"}, sub) {
					return "gobuild " + sub
				}
			}
			return ""
		case i > 0 && strings.HasPrefix(base, "swarming_bot") && strings.HasSuffix(base, ".zip"):
			if slices.ContainsFunc(args[i:], func(a string) bool { return a == "start_bot" || a == "start_slave" }) {
				return "Swarming bot"
			}
		}
	}
	return ""
}

// parsePS reads lines of a pid, the parent's, and a command line.
func parsePS(text string) []process {
	var list []process
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 3 {
			continue
		}
		pid, err1 := strconv.Atoi(words[0])
		parent, err2 := strconv.Atoi(words[1])
		if err1 == nil && err2 == nil {
			list = append(list, process{pid, parent, words[2:]})
		}
	}
	return list
}
