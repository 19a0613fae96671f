package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"gobuild/pkg/hint"
	"gobuild/pkg/lazyre"
)

// readConfig returns the name and content of the configuration file: the one
// of --config, else of GOBUILD_CONFIG, else the first that there is in the
// default places; empty if there is none.
func (a *app) readConfig() (file string, doc []byte, err error) {
	if given := a.givenConfig(); given != "" {
		doc, err := readConfigFile(given)
		if err != nil {
			return "", nil, hint.With(fmt.Errorf("read configuration: %w", err),
				"--config or GOBUILD_CONFIG names this file; without them gobuild looks in %s", strings.Join(a.configPlaces(), ", then "))
		}
		return given, doc, nil
	}
	for _, file := range a.configPlaces() {
		doc, err := readConfigFile(file)
		if err == nil {
			return file, doc, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", nil, hint.With(fmt.Errorf("read configuration: %w", err), "mend it, or name another file with --config; %s is none", os.DevNull)
		}
	}
	return "", nil, nil
}

// maxConfig bounds the size of a configuration file, in bytes.
const maxConfig = 1 << 20

// readConfigFile reads a configuration file. It refuses what may never end: a
// pipe that nobody writes to, a device.
func readConfigFile(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
			pathErr.Op = "open"
		}
		return nil, err
	}
	switch {
	case info.IsDir():
		return nil, fmt.Errorf("%s is a directory", file)
	case !info.Mode().IsRegular() && file != os.DevNull:
		return nil, fmt.Errorf("%s is no regular file", file)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	doc, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err == nil && len(doc) > maxConfig {
		err = fmt.Errorf("%s is larger than %d bytes", file, maxConfig)
	}
	return doc, err
}

// givenConfig returns the configuration file that --config or GOBUILD_CONFIG
// names, or "".
func (a *app) givenConfig() string { return cmp.Or(a.configFile, a.getenv("GOBUILD_CONFIG")) }

// configPlaces returns where the configuration file is looked for.
func (a *app) configPlaces() []string {
	var places []string
	dir := a.getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(dir) {
		// A service may have no home directory; the system's file remains.
		dir, _ = os.UserConfigDir()
	}
	if dir != "" {
		places = append(places, filepath.Join(dir, "gobuild", "config.yaml"))
	}
	return append(places, systemConfigFile())
}

// yamlLine matches the errors of the YAML parser that know their line.
var yamlLine = lazyre.New(`^yaml: line (\d+): `)

// checkConfig returns the line of each key in doc, which is a flat table of
// known keys, and everything in it that is not, with file and line.
func checkConfig(file string, doc []byte) (lines map[string]int, problems []error) {
	var root, next yaml.Node
	documents := yaml.NewDecoder(bytes.NewReader(doc))
	if err := documents.Decode(&root); err != nil && err != io.EOF {
		text := err.Error()
		if m := yamlLine.FindStringSubmatch(text); m != nil {
			return nil, []error{fmt.Errorf("%s:%s: %s", file, m[1], text[len(m[0]):])}
		}
		return nil, []error{fmt.Errorf("%s: %w", file, err)}
	}
	if err := documents.Decode(&next); err == nil {
		return nil, []error{hint.With(fmt.Errorf("%s:%d: a second document, which nothing reads", file, next.Line), `take out the line "---"`)}
	}
	lines = map[string]int{}
	if len(root.Content) == 0 || root.Content[0].Tag == "!!null" {
		return lines, nil // empty, or nothing but comments
	}
	top := root.Content[0]
	if top.Kind != yaml.MappingNode {
		return nil, []error{hint.With(fmt.Errorf("%s:%d: not a table of settings", file, top.Line), "each line is KEY: VALUE, such as coordinator: https://farm.example:8119")}
	}
	known := configKeyNames()
	for i := 0; i+1 < len(top.Content); i += 2 {
		key, value := top.Content[i], top.Content[i+1]
		problem := func(line int, format string, args ...any) {
			problems = append(problems, fmt.Errorf("%s:%d: %s", file, line, fmt.Sprintf(format, args...)))
		}
		if !slices.Contains(known, key.Value) {
			err := fmt.Errorf("%s:%d: unknown key %q", file, key.Line, key.Value)
			advice := "the keys are " + strings.Join(known, ", ")
			if near := suggest(key.Value, known); near != "" {
				advice = "did you mean " + near + "?"
			}
			problems = append(problems, hint.With(err, "%s", advice))
			continue
		}
		if had, ok := lines[key.Value]; ok {
			problem(key.Line, "key %q is in line %d already", key.Value, had)
			continue
		}
		lines[key.Value] = key.Line
		if value.Kind != yaml.ScalarNode {
			problem(value.Line, "the value of %q has to be a single one", key.Value)
		}
	}
	return lines, problems
}

// configValues returns the values in doc by key, those of known keys: as they
// are written, so that a name like 0123 or 2024-01-01 stays one.
func configValues(doc []byte) (map[string]any, error) {
	var written map[string]*string
	if err := yaml.Unmarshal(doc, &written); err != nil {
		return nil, err
	}
	values := map[string]any{}
	for _, key := range configKeyNames() {
		if value := written[key]; value != nil {
			values[key] = *value
		}
	}
	return values, nil
}
