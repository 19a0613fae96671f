// Package lucidef words the definition of a new low-capacity builder in LUCI's
// main.star (branch luci-config of golang.org/x/build): the entries of its
// tables, and the change that puts them in.
//
// Which tables there are and what they do is told in the LUCI protocol, section
// 12.2. Checking a main.star for mistakes is left to package lint; generating
// the configuration from it to lucicfg.
package lucidef

import (
	"errors"
	"fmt"
	"net/mail"
	"strings"

	"gobuild/pkg/botcert"
	"gobuild/pkg/hint"
	"gobuild/pkg/ports"
)

// Stage is how far a builder has come.
type Stage string

// The stages that builders usually go through.
const (
	Onboarding Stage = "onboarding" // nobody has seen it work
	Working    Stage = "working"    // it works, and its failures are looked at
)

// Options say what is to be defined.
type Options struct {
	// Builder is the builder type: GOOS-GOARCH, perhaps with a suffix behind an
	// underscore (linux-ppc64le_power10).
	Builder string
	// Hostname is the bot's host name: it is in no table, but in the words for
	// the reviewer, who enters it into the list of bots.
	Hostname string
	// Contacts are the addresses that hear of infrastructure failures.
	Contacts []string
	// Issue is the number of the request's issue; 0 if it is not known.
	Issue int
	// Scale multiplies the time limits of tests on a slow machine; 0 and 1 mean
	// no more time.
	Scale int
	Stage Stage
	// NewPort lets GOOS-GOARCH be one that Go does not have yet.
	NewPort bool
}

// Entry is an entry of a table of main.star.
type Entry struct {
	Table string `json:"table"`
	Key   string `json:"key"`  // the string that it begins with
	Line  string `json:"line"` // as it stands in the file, indented
	Why   string `json:"why"`  // what it does
	// Sorted tells whether the table is alphabetical.
	Sorted bool `json:"-"`
}

// Define returns the entries for a new builder, in the order of the tables in
// the file. Errors name what is wrong with the options, and have the right form
// as hint.
func Define(o Options) ([]Entry, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	quoted := fmt.Sprintf("%q", o.Builder)
	capacity := Entry{Table: "LOW_CAPACITY_HOSTS", Why: "one build at a time, none before submission, up to a day's wait for the machine"}
	if o.Stage == Onboarding {
		capacity = Entry{Table: "TBD_CAPACITY_HOSTS", Why: "a part of LOW_CAPACITY_HOSTS, for machines that are yet to prove themselves"}
	}
	capacity.Line, capacity.Sorted = "    "+quoted+",", true
	entries := []Entry{capacity}
	if len(o.Contacts) > 0 {
		addresses := make([]string, len(o.Contacts))
		for i, c := range o.Contacts {
			addresses[i] = fmt.Sprintf("%q", c)
		}
		entries = append(entries, Entry{
			Table: "HOST_CONTACT_EMAILS", Line: fmt.Sprintf("    %s: [%s],", quoted, strings.Join(addresses, ", ")), Sorted: true,
			Why: "who hears of infrastructure failures on the machine",
		})
	}
	if o.Scale > 1 {
		entries = append(entries, Entry{
			Table: "SLOW_HOSTS", Line: fmt.Sprintf("    %s: struct(scale = %d),", quoted, o.Scale), Sorted: true,
			Why: fmt.Sprintf("%d times the time limit for tests", o.Scale),
		})
	}
	entries = append(entries, Entry{Table: "BUILDER_TYPES", Line: "    " + quoted + ",", Sorted: true, Why: "makes the builder exist"})
	if o.Issue > 0 {
		known := fmt.Sprintf("known_issue(issue_number = %d, hide_from_presubmit = False)", o.Issue)
		why := "its failures are nobody's regression while the issue is open"
		if o.Stage == Onboarding {
			known = fmt.Sprintf("known_issue(issue_number = %d, skip_x_repos = True)", o.Issue)
			why = "only the go repository at first, on a console of its own; " + why
		}
		entries = append(entries, Entry{Table: "KNOWN_ISSUE_BUILDER_TYPES", Line: fmt.Sprintf("    %s: %s,", quoted, known), Why: why})
	}
	for i := range entries {
		entries[i].Key = o.Builder
	}
	return entries, nil
}

func (o Options) check() error {
	port, err := portOf(o.Builder, o.NewPort)
	if err != nil {
		return err
	}
	if o.Hostname == "" {
		return hint.With(errors.New("no host name: the reviewer enters it into the list of bots"), "it is the one of the CSR, such as %s-HANDLE", port)
	}
	host, err := botcert.CheckHost(o.Hostname, o.NewPort)
	if err != nil {
		return err
	}
	if host.Port != port {
		return hint.With(fmt.Errorf("host name %s is of port %s, the builder type %s of %s", o.Hostname, host.Port, o.Builder, port), "one of the two is meant for another machine")
	}
	for _, c := range o.Contacts {
		if a, err := mail.ParseAddress(c); err != nil || a.Address != c {
			return hint.With(fmt.Errorf("contact %q is no e-mail address", c), "give the address alone, such as joe@example.org")
		}
	}
	switch {
	case o.Stage != Onboarding && o.Stage != Working:
		return fmt.Errorf("stage %q: it is %s or %s", o.Stage, Onboarding, Working)
	case o.Issue < 0:
		return fmt.Errorf("issue %d: its number is positive", o.Issue)
	case o.Scale < 0 || o.Scale > 20:
		return hint.With(fmt.Errorf("scale %d", o.Scale), "it is a whole number from 1 to 20: how many times the time a fast machine needs")
	}
	return nil
}

// portOf returns the port of a builder type.
func portOf(builder string, newPort bool) (ports.Port, error) {
	const form = "a builder type is GOOS-GOARCH, perhaps with _SUFFIX, such as linux-riscv64 or linux-ppc64le_power10"
	name, suffix, hasSuffix := strings.Cut(builder, "_")
	goos, goarch, ok := strings.Cut(name, "-")
	port := ports.Port{GOOS: goos, GOARCH: goarch}
	switch {
	case !ok || goos == "" || goarch == "" || strings.Contains(goarch, "-") || hasSuffix && suffix == "" || strings.ToLower(builder) != builder || strings.ContainsAny(builder, " \t\"'\\/"):
		return ports.Port{}, hint.With(fmt.Errorf("builder type %q", builder), form)
	case port.Known() || newPort:
		return port, nil
	}
	return ports.Port{}, hint.With(fmt.Errorf("builder type %q: Go has no port %s", builder, port), "a port that Go is yet to get needs --new-port")
}

// Message returns the words of the change: its title, what it is for, and what
// the reviewer has to do besides.
func (o Options) Message() string {
	var b strings.Builder
	fmt.Fprintf(&b, "main.star: add %s builder\n\n", o.Builder)
	fmt.Fprintf(&b, "The bot is %s. It has to be entered into the list of bots,\nwith the pool luci.golang.shared-workers and its machine token.\n", o.Hostname)
	if o.Issue > 0 {
		fmt.Fprintf(&b, "\nFor golang/go#%d.\n", o.Issue)
	}
	return b.String()
}
