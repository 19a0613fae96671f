package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// firstArgEndsFlags makes everything after cmd's first positional argument
// an argument, dashes or not: what follows belongs to another program. Use it
// instead of FlagSet.SetInterspersed, which oneDash cannot see.
func firstArgEndsFlags(cmd *cobra.Command) {
	cmd.Flags().SetInterspersed(false)
	annotate(cmd, argsEndFlagsAnnotation)
}

const argsEndFlagsAnnotation = "gobuild_first_arg_ends_flags"

// annotate sets a yes-or-no annotation on cmd.
func annotate(cmd *cobra.Command, name string) {
	if cmd.Annotations == nil {
		cmd.Annotations = map[string]string{}
	}
	cmd.Annotations[name] = "yes"
}

// oneDash returns args with long flags that have one dash (-reverse-type=x,
// as scripts for upstream's programs write them) given two. It touches only
// flags that the command being called knows, never the value of another flag,
// and nothing behind "--" or behind the first argument of a command marked by
// firstArgEndsFlags.
func oneDash(root *cobra.Command, args []string) []string {
	out := append([]string(nil), args...)
	cmd := root
	descending := true // a positional argument may still name a subcommand
	for i := 0; i < len(out); i++ {
		arg := out[i]
		if cmd.DisableFlagParsing || arg == "--" {
			break
		}
		if len(arg) < 2 || arg[0] != '-' {
			sub := child(cmd, arg)
			switch {
			case descending && sub != nil:
				cmd = sub
			case cmd.Annotations[argsEndFlagsAnnotation] != "":
				return out
			default:
				descending = false
			}
			continue
		}
		var valueFollows bool
		out[i], valueFollows = rewrite(cmd, arg)
		if valueFollows {
			i++
		}
	}
	return out
}

// rewrite returns arg, which begins with a dash, in the form that the flag
// parser takes, and whether the next argument is its value.
func rewrite(cmd *cobra.Command, arg string) (_ string, valueFollows bool) {
	long := strings.TrimPrefix(arg, "-")
	long = strings.TrimPrefix(long, "-")
	name, _, hasValue := strings.Cut(long, "=")
	if flag := longFlag(cmd, name); flag != nil {
		return "--" + long, !hasValue && flag.NoOptDefVal == ""
	}
	if strings.HasPrefix(arg, "--") {
		return arg, false
	}
	return arg, shorthandWantsValue(cmd, arg[1:])
}

// longFlag returns cmd's flag of that name, or nil. Names of one letter are
// shorthands.
func longFlag(cmd *cobra.Command, name string) *pflag.Flag {
	if len(name) < 2 {
		return nil
	}
	for _, flags := range flagSets(cmd) {
		if flag := flags.Lookup(name); flag != nil {
			return flag
		}
	}
	return nil
}

// flagSets returns the sets that hold cmd's flags; cobra merges them only
// when it parses.
func flagSets(cmd *cobra.Command) []*pflag.FlagSet {
	return []*pflag.FlagSet{cmd.Flags(), cmd.PersistentFlags(), cmd.InheritedFlags()}
}

// shorthandWantsValue reports whether a group of one-letter flags ends with
// one whose value is the next argument.
func shorthandWantsValue(cmd *cobra.Command, group string) bool {
	for i := range len(group) {
		var flag *pflag.Flag
		for _, flags := range flagSets(cmd) {
			if flag == nil {
				flag = flags.ShorthandLookup(group[i : i+1])
			}
		}
		if flag == nil {
			return false
		}
		if flag.NoOptDefVal == "" {
			return i == len(group)-1
		}
	}
	return false
}
