package lint

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"gobuild/pkg/hint"
)

// ConfigFile is the name of the file with the severities of rules, which is
// looked for beside a linted file and in the directories above.
const ConfigFile = ".gobuild-lint.yaml"

// Config is what such a file says.
type Config struct {
	// Rules has a severity for each rule that is not to have its own; off is
	// for those that are not applied.
	Rules map[string]Severity `yaml:"rules"`
}

// ReadConfig reads the configuration in a file. known are the rules that there
// are.
func ReadConfig(file string, known []string) (Config, error) {
	text, err := ReadFile(file)
	if err != nil {
		return Config{}, err
	}
	var c Config
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		return Config{}, hint.With(fmt.Errorf("%s: %s", file, strings.ReplaceAll(err.Error(), "\n", " ")),
			"it has one key, rules: RULE: error, warning, info or off")
	}
	for _, rule := range slices.Sorted(maps.Keys(c.Rules)) {
		if !slices.Contains(known, rule) {
			err := fmt.Errorf("%s: there is no rule %q", file, rule)
			if near := hint.Nearest(rule, known); near != "" {
				err = hint.With(err, "did you mean %s?", near)
			}
			return Config{}, err
		}
		if !c.Rules[rule].Valid() {
			return Config{}, hint.With(fmt.Errorf("%s: rule %s: %q is no severity", file, rule, c.Rules[rule]), "error, warning, info or off")
		}
	}
	return c, nil
}

// FindConfig returns the ConfigFile for a linted file, or "".
func FindConfig(file string) string {
	dir, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return ""
	}
	for {
		name := filepath.Join(dir, ConfigFile)
		if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
			return name
		}
		if dir == filepath.Dir(dir) {
			return ""
		}
		dir = filepath.Dir(dir)
	}
}
