package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"gobuild/pkg/hint"
)

// newConfigCommand returns "gobuild config".
func newConfigCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "config",
		GroupID: groupOwner,
		Short:   "Show and check the configuration",
		Long: `Config shows which settings hold, where each comes from, and what is wrong with
them. "gobuild init" writes the file.`,
		Example: `  gobuild config show
  gobuild config validate`,
	}
	cmd.AddCommand(newConfigShowCommand(a), newConfigPathCommand(a), newConfigValidateCommand(a))
	return cmd
}

// shownSetting is a setting, as --json shows it.
type shownSetting struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Origin string `json:"origin"`
	Help   string `json:"help"`
}

func newConfigShowCommand(a *app) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Show the settings that hold, and where each comes from",
		Long: `Show prints each setting that the environment or the configuration file gives,
with the variable, or the file and line. With --all it prints the others too.

With --json it prints an array of objects: "key", "value", "origin" and "help".`,
		Example: `  gobuild config show
  gobuild config show --all`,
		RunE: func(*cobra.Command, []string) error {
			settings, err := a.loadConfig()
			if err != nil {
				return err
			}
			shown := []shownSetting{}
			for _, key := range configKeys {
				if s, ok := settings[key.name]; ok || all {
					shown = append(shown, shownSetting{key.name, s.value, s.origin, key.help})
				}
			}
			if a.jsonOut {
				return a.printJSON(shown)
			}
			if len(shown) == 0 {
				fmt.Fprintln(a.stderr, "nothing is set; gobuild init sets what this machine needs, gobuild config show --all tells what there is")
				return nil
			}
			headers, rows := []string{"KEY", "VALUE", "FROM"}, [][]string{}
			if all {
				headers = []string{"KEY", "VALUE", "WHAT IT IS"}
			}
			for _, s := range shown {
				last := s.Origin
				if all {
					last = s.Help
				}
				rows = append(rows, []string{s.Key, s.Value, last})
			}
			return a.printTable(headers, rows)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "show the settings that nothing is set to, too, and what each is")
	return cmd
}

func newConfigPathCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "path",
		Short: "Print which configuration file is read",
		Long: `Path prints the name of the configuration file: the one of --config or
GOBUILD_CONFIG, else the first of the default places that has one. If there is
none, it prints where "gobuild init" would make it, says so, and ends with code 1.

With --json it prints an object: "file", "exists", and "places", where it is
looked for.`,
		Example: `  gobuild config path`,
		RunE: func(*cobra.Command, []string) error {
			file, places := a.configTarget(), a.configPlaces()
			if given := a.givenConfig(); given != "" {
				places = []string{given}
			}
			exists := false
			for _, place := range places {
				if _, err := os.Stat(place); !errors.Is(err, fs.ErrNotExist) {
					file, exists = place, true
					break
				}
			}
			if a.jsonOut {
				err := a.printJSON(struct {
					File   string   `json:"file"`
					Exists bool     `json:"exists"`
					Places []string `json:"places"`
				}{file, exists, places})
				if err != nil || exists {
					return err
				}
				return &exitError{code: exitFailed}
			}
			if _, err := fmt.Fprintln(a.stdout, file); err != nil || exists {
				return err
			}
			return hint.With(errors.New("this file is not there yet"), "gobuild init makes it")
		},
	}
	return withoutConfig(cmd)
}

// configTarget returns the file that "gobuild init" writes.
func (a *app) configTarget() string {
	if given := a.givenConfig(); given != "" {
		return given
	}
	return a.configPlaces()[0]
}

// configReport is what "config validate" found, as --json shows it.
type configReport struct {
	File     string   `json:"file"`
	Settings int      `json:"settings"`
	Errors   []string `json:"errors"`
	Warnings []string `json:"warnings"`
}

func newConfigValidateCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "validate [FILE]",
		Short: "Check the configuration file",
		Long: `Validate reads the configuration file, or FILE, and names everything that is
wrong with it: keys that there are not, values that cannot be, and, as warnings,
files that are not there. Without FILE it checks the values of the GOBUILD_*
variables as well. It ends with code 1 if there is an error.

With --json it prints an object: "file", "settings" (their number), "errors" and
"warnings".`,
		Example: `  gobuild config validate
  gobuild config validate examples/config.yaml`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				a.configFile = args[0]
			}
			return a.validateConfig(len(args) == 0)
		},
	}
	return withoutConfig(cmd)
}

// validateConfig checks the configuration file, and withEnv the environment.
func (a *app) validateConfig(withEnv bool) error {
	file, doc, err := a.readConfig()
	if err != nil {
		return err
	}
	if file == "" {
		return hint.With(errors.New("there is no configuration file"), "gobuild init makes one in %s", a.configTarget())
	}
	lines, problems := checkConfig(file, doc)
	report := configReport{File: file, Settings: len(lines), Errors: []string{}, Warnings: []string{}}
	check := func(where string, kind valueKind, value string) {
		if value == "" {
			return
		}
		if err := kind.check(value); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", where, err))
		} else if kind.remark != nil {
			if remark := kind.remark(value); remark != "" {
				report.Warnings = append(report.Warnings, where+": "+remark)
			}
		}
	}
	values, err := mergeConfig(doc, nil)
	for _, key := range configKeys {
		if err == nil {
			check(fmt.Sprintf("%s:%d: %s", file, lines[key.name], key.name), key.kind, values[key.name])
		}
		if withEnv {
			check(envName(key.name), key.kind, a.getenv(envName(key.name)))
		}
	}
	for _, problem := range problems {
		report.Errors = append(report.Errors, withAdvice(problem))
	}
	if a.jsonOut {
		if err := a.printJSON(report); err != nil {
			return err
		}
	} else {
		a.warn(report.Warnings...)
		for _, problem := range problems {
			a.printError(problem.Error(), hint.Of(problem))
		}
		if len(problems) == 0 {
			if _, err := fmt.Fprintf(a.stdout, "good: %s (settings: %d)\n", file, len(lines)); err != nil {
				return err
			}
		}
	}
	if len(problems) > 0 {
		return &exitError{code: exitFailed}
	}
	return nil
}
