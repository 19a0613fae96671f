package main

import (
	"bytes"
	"fmt"
	"maps"
	"strings"

	"go.yaml.in/yaml/v3"

	"gobuild/pkg/hint"
)

// configHeader begins a configuration that "gobuild init" makes.
const configHeader = `# The configuration of gobuild on this machine. What a key means, and which
# others there are: gobuild config show --all
`

// editConfig returns doc, a configuration of this file that checkConfig
// passes, with the changed values in it. Everything else in it, comments and
// order included, stays.
func editConfig(file string, doc []byte, keys []string, changes map[string]string) ([]byte, error) {
	before, err := mergeConfig(doc, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(bytes.TrimSpace(doc)) == 0 {
		doc = []byte(configHeader)
	}
	lineOf, _ := checkConfig(file, doc)
	lines := strings.Split(strings.TrimRight(string(doc), "\n"), "\n")
	cr := lines[0][len(strings.TrimSuffix(lines[0], "\r")):] // as Windows ends lines
	want := maps.Clone(before)
	for _, key := range keys {
		value, ok := changes[key]
		if !ok || value == before[key] {
			continue
		}
		want[key] = value
		text, err := yaml.Marshal(map[string]string{key: value})
		if err != nil {
			return nil, err
		}
		line := strings.TrimRight(string(text), "\n")
		if at := lineOf[key]; at > len(lines) {
			return nil, errNotEditable(file) // YAML has line ends that editors do not show
		} else if at > 0 {
			_, comment, _ := strings.Cut(strings.TrimSuffix(lines[at-1], "\r"), " #")
			if comment != "" {
				line += " #" + comment
			}
			lines[at-1] = line + cr
		} else {
			lines = append(lines, line+cr)
		}
	}
	edited := []byte(strings.Join(lines, "\n") + "\n")

	// A value of several lines, or a "#" inside one, is more than a line's
	// replacement can do.
	if got, err := mergeConfig(edited, nil); err != nil || !maps.Equal(got, want) {
		return nil, errNotEditable(file)
	}
	return edited, nil
}

func errNotEditable(file string) error {
	return hint.With(fmt.Errorf("%s is written in a way that cannot be changed from here", file), "change it with an editor")
}
