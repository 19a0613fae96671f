package main

import (
	"slices"
	"strings"

	"gobuild/pkg/lint/vet"
)

// vetArgs returns the arguments that go vet gives to its tool, if args, those
// of gobuild or of "gobuild lint", are such: -V=full, -flags, or flags of the
// tool and a file NAME.cfg.
func vetArgs(args []string) ([]string, bool) {
	if len(args) > 0 && args[0] == "lint" {
		args = args[1:]
	}
	if len(args) == 0 {
		return nil, false
	}
	flags, last := args[:len(args)-1], args[len(args)-1]
	if len(flags) == 0 && (last == "-V=full" || last == "-flags") {
		return args, true
	}
	foreign := slices.ContainsFunc(flags, func(arg string) bool { return !vet.IsFlag(arg) })
	return args, !foreign && strings.HasSuffix(last, ".cfg") && !strings.HasPrefix(last, "-")
}
