package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"gobuild/pkg/hint"
)

// configKey is a setting that the configuration file and the environment may
// give. Its environment variable is GOBUILD_ and the name in capitals, with
// underscores for dashes.
type configKey struct {
	name string
	help string
}

// configKeys is every setting there is. A flag takes part by bindConfig.
var configKeys = []configKey{
	{"backend", "LUCI token server, HOST or HOST:PORT"},
	{"builders", "file with the host and builder types that the coordinator serves, as JSON"},
	{"ca-file", "PEM file with the CA certificate of a private farm"},
	{"cert-pem", "PEM file with this machine's LUCI certificate"},
	{"coordinator", "URL of the farm's coordinator"},
	{"github-api", "URL of the GitHub API that requests are filed with"},
	{"health-addr", "address where the worker answers health probes"},
	{"host-type", "host type that the worker registers as"},
	{"hostname", "name of this machine: in the reverse pool, in its certificate, as a bot"},
	{"key-file", "file with the builder key, or the user's key"},
	{"listen", "address that the server listens on"},
	{"master-key-file", "file with the farm's master key"},
	{"no-color", "true for output without colours"},
	{"pkey-pem", "PEM file with the private key of that certificate"},
	{"port", "port of this machine, as GOOS-GOARCH"},
	{"python", "Python 3 interpreter that runs the Swarming bot"},
	{"repo", "GitHub repository where new builders are requested, as OWNER/NAME"},
	{"swarming", "Swarming server, HOST or HOST:PORT"},
	{"tls-cert", "PEM file with the server's certificate"},
	{"tls-key", "PEM file with the private key of that certificate"},
	{"token-file", "file with the LUCI machine token"},
	{"user", "name of the person, as in the key for user-NAME"},
	{"verbose", "true to log more"},
	{"workdir", "directory where the worker does its work"},
}

// configKeyNames returns the names of configKeys.
func configKeyNames() []string {
	names := make([]string, len(configKeys))
	for i, key := range configKeys {
		names[i] = key.name
	}
	return names
}

// envName returns the environment variable of a configuration key.
func envName(key string) string {
	return "GOBUILD_" + strings.ToUpper(strings.ReplaceAll(key, "-", "_"))
}

// Annotations by which flags and commands take part in the configuration.
const (
	configKeyAnnotation = "gobuild_config_key"
	noConfigAnnotation  = "gobuild_no_config"
)

// bindConfig lets a flag that is not on the command line take its value from
// a configuration key. It panics if there is no such flag or key, which every
// test that builds the command tree finds out.
func bindConfig(flags *pflag.FlagSet, flag, key string) {
	if !slices.Contains(configKeyNames(), key) {
		panic("bindConfig: no configuration key " + key)
	}
	if err := flags.SetAnnotation(flag, configKeyAnnotation, []string{key}); err != nil {
		panic("bindConfig: " + err.Error())
	}
}

// boundKey returns the configuration key of a flag, or "".
func boundKey(flag *pflag.Flag) string {
	if keys := flag.Annotations[configKeyAnnotation]; len(keys) == 1 {
		return keys[0]
	}
	return ""
}

// withoutConfig marks a command that reads no configuration, so that it works
// even if the configuration is broken. It returns cmd.
func withoutConfig(cmd *cobra.Command) *cobra.Command {
	annotate(cmd, noConfigAnnotation)
	return cmd
}

// applyConfig gives each bound flag of cmd that is not on the command line
// the value of the environment or of the configuration file.
func (a *app) applyConfig(cmd *cobra.Command) error {
	if cmd.Annotations[noConfigAnnotation] != "" {
		return nil
	}
	settings, err := a.loadConfig()
	if err != nil {
		if cmd.Name() == cobra.ShellCompRequestCmd || cmd.Name() == cobra.ShellCompNoDescRequestCmd {
			return nil // a person in the middle of a line cannot use the error
		}
		return &exitError{code: exitFailed, err: err}
	}
	given := map[string]bool{}
	cmd.Flags().Visit(func(flag *pflag.Flag) { given[flag.Name] = true })
	cmd.Flags().VisitAll(func(flag *pflag.Flag) {
		setting, ok := settings[boundKey(flag)]
		if !ok || given[flag.Name] || err != nil || excluded(flag, given) {
			return
		}
		if setErr := cmd.Flags().Set(flag.Name, setting.value); setErr != nil {
			// The origin and the value say it better than the parser does.
			if number, ok := errors.AsType[*strconv.NumError](setErr); ok {
				setErr = number.Err
			} else if invalid, ok := errors.AsType[*pflag.InvalidValueError](setErr); ok {
				setErr = invalid.Unwrap()
			}
			err = &exitError{code: exitFailed, err: fmt.Errorf("%s: bad value %q: %w", setting.origin, setting.value, setErr)}
		}
	})
	return err
}

// excluded reports whether the command line has a flag that flag may not be
// together with: it wins over flag's value in the configuration.
func excluded(flag *pflag.Flag, given map[string]bool) bool {
	for _, group := range flag.Annotations[mutuallyExclusiveAnnotation] {
		if slices.ContainsFunc(strings.Fields(group), func(name string) bool { return given[name] }) {
			return true
		}
	}
	return false
}

// mutuallyExclusiveAnnotation is where cobra's MarkFlagsMutuallyExclusive
// keeps a flag's groups, each a list of names.
const mutuallyExclusiveAnnotation = "cobra_annotation_mutually_exclusive"

// setting is the value of a configuration key, and where it was given.
type setting struct {
	value  string
	origin string
}

// loadConfig returns the settings of the environment and the configuration
// file, by key.
func (a *app) loadConfig() (map[string]setting, error) {
	file, doc, err := a.readConfig()
	if err != nil {
		return nil, err
	}
	lines, err := checkConfig(file, doc)
	if err != nil {
		return nil, err
	}
	env := map[string]string{}
	for _, key := range configKeyNames() {
		// As with most programs, a variable that is set to nothing is not set.
		if value := a.getenv(envName(key)); value != "" {
			env[key] = value
		}
	}
	values, err := mergeConfig(doc, env)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	settings := map[string]setting{}
	for key, value := range values {
		origin := envName(key)
		if _, ok := env[key]; !ok {
			origin = fmt.Sprintf("%s:%d: %s", file, lines[key], key)
		}
		settings[key] = setting{value, origin}
	}
	return settings, nil
}

// readConfig returns the name and content of the configuration file: the one
// of --config, else of GOBUILD_CONFIG, else the first that there is in the
// default places; empty if there is none.
func (a *app) readConfig() (file string, doc []byte, err error) {
	given := a.configFile
	if given == "" {
		given = a.getenv("GOBUILD_CONFIG")
	}
	if given != "" {
		doc, err := os.ReadFile(given)
		if err != nil {
			return "", nil, hint.With(fmt.Errorf("read configuration: %w", err),
				"--config or GOBUILD_CONFIG names this file; without them gobuild looks in %s", strings.Join(a.configPlaces(), ", then "))
		}
		return given, doc, nil
	}
	for _, file := range a.configPlaces() {
		doc, err := os.ReadFile(file)
		if err == nil {
			return file, doc, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", nil, fmt.Errorf("read configuration: %w", err)
		}
	}
	return "", nil, nil
}

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
var yamlLine = regexp.MustCompile(`^yaml: line (\d+): `)

// checkConfig returns the line of each key in doc. It refuses what is not a
// flat table of known keys, and says in which line of file.
func checkConfig(file string, doc []byte) (lines map[string]int, err error) {
	var root yaml.Node
	if err := yaml.Unmarshal(doc, &root); err != nil {
		text := err.Error()
		if m := yamlLine.FindStringSubmatch(text); m != nil {
			return nil, fmt.Errorf("%s:%s: %s", file, m[1], text[len(m[0]):])
		}
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	lines = map[string]int{}
	if len(root.Content) == 0 || root.Content[0].Tag == "!!null" {
		return lines, nil // empty, or nothing but comments
	}
	top := root.Content[0]
	if top.Kind != yaml.MappingNode {
		return nil, hint.With(fmt.Errorf("%s:%d: not a table of settings", file, top.Line), "each line is KEY: VALUE, such as coordinator: https://farm.example:8119")
	}
	known := configKeyNames()
	for i := 0; i+1 < len(top.Content); i += 2 {
		key, value := top.Content[i], top.Content[i+1]
		if !slices.Contains(known, key.Value) {
			err := fmt.Errorf("%s:%d: unknown key %q", file, key.Line, key.Value)
			if near := suggest(key.Value, known); near != "" {
				return nil, hint.With(err, "did you mean %s?", near)
			}
			return nil, hint.With(err, "the keys are %s", strings.Join(known, ", "))
		}
		if had, ok := lines[key.Value]; ok {
			return nil, fmt.Errorf("%s:%d: key %q is in line %d already", file, key.Line, key.Value, had)
		}
		if value.Kind != yaml.ScalarNode {
			return nil, fmt.Errorf("%s:%d: the value of %q has to be a single one", file, value.Line, key.Value)
		}
		lines[key.Value] = key.Line
	}
	return lines, nil
}
