package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// configKey is a setting that the configuration file and the environment may
// give. Its environment variable is GOBUILD_ and the name in capitals, with
// underscores for dashes.
type configKey struct {
	name string
	kind valueKind
	help string
}

// configKeys is every setting there is. A flag takes part by bindConfig.
var configKeys = []configKey{
	{"backend", serverValue, "LUCI token server, HOST or HOST:PORT"},
	{"builders", fileValue, "file with the host and builder types that the coordinator serves, a builders.go or JSON"},
	{"ca-file", fileValue, "PEM file with the CA certificate of a private farm"},
	{"cert-pem", fileValue, "PEM file with this machine's LUCI certificate"},
	{"coordinator", coordinatorValue, "URL of the farm's coordinator"},
	{"dl", fileValue, "directory with the buildlets that the coordinator serves"},
	{"github-api", urlValue, "URL of the GitHub API that requests are filed with"},
	{"health-addr", addrValue, "address where the worker answers health probes"},
	{"host-type", wordValue, "host type that the worker registers as"},
	{"hostname", hostnameValue, "name of this machine: in the reverse pool, in its certificate, as a bot"},
	{"key-file", fileValue, "file with the builder key, or the user's key"},
	{"listen", addrValue, "address that the server listens on"},
	{"master-key-file", fileValue, "file with the farm's master key"},
	{"no-color", boolValue, "true for output without colours"},
	{"pkey-pem", fileValue, "PEM file with the private key of that certificate"},
	{"port", portValue, "port of this machine, as GOOS-GOARCH"},
	{"python", programValue, "Python 3 interpreter that runs the Swarming bot"},
	{"release-key", releaseKeyValue, "public key of whom buildlets are taken, or the file that it is in"},
	{"repo", repoValue, "GitHub repository where new builders are requested, as OWNER/NAME"},
	{"swarming", serverValue, "Swarming server, HOST or HOST:PORT"},
	{"tls-cert", fileValue, "PEM file with the server's certificate"},
	{"tls-key", fileValue, "PEM file with the private key of that certificate"},
	{"token-file", fileValue, "file with the LUCI machine token"},
	{"update-url", updateValue, "URL of the buildlet that the worker fetches, or auto for the coordinator's"},
	{"user", wordValue, "name of the person, as in the key for user-NAME"},
	{"verbose", boolValue, "true to log more"},
	{"workdir", fileValue, "directory where the worker does its work"},
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
	lines, problems := checkConfig(file, doc)
	if len(problems) > 0 {
		return nil, problems[0]
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
		if value == "" {
			continue // the same in the file: "gobuild init" takes settings back so
		}
		origin := envName(key)
		if _, ok := env[key]; !ok {
			origin = fmt.Sprintf("%s:%d: %s", file, lines[key], key)
		}
		settings[key] = setting{value, origin}
	}
	return settings, nil
}
