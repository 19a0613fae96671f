// Command gobuild runs a Go build farm from all three sides: the machine that
// builds, the coordinator that hands the machines out, and the person who
// debugs on one.
//
// The command holds no logic: each of its files reads the flags of one
// command, makes one call into a package below pkg, and prints what came of
// it. Results go to stdout; errors, hints, logs and progress go to stderr.
package main

import (
	"os"

	"gobuild/pkg/lint/vet"
)

func main() {
	args := multicall(os.Args)
	if args, ok := vetArgs(args); ok {
		vet.Main(args)
	}
	if code, ok := runAsService(args); ok {
		os.Exit(code)
	}
	os.Exit(run(args, os.Stdin, os.Stdout, os.Stderr, os.LookupEnv))
}
