package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// flagTree returns a small tree with flags of every kind.
func flagTree() *cobra.Command {
	nop := func(*cobra.Command, []string) error { return nil }
	root := &cobra.Command{Use: "tool"}
	root.PersistentFlags().String("config", "", "")
	root.PersistentFlags().BoolP("verbose", "v", false, "")

	worker := &cobra.Command{Use: "worker", Aliases: []string{"w"}, Args: cobra.ArbitraryArgs, RunE: nop}
	worker.Flags().StringP("reverse-type", "t", "", "")
	worker.Flags().Bool("reboot", true, "")
	worker.Flags().StringArray("env", nil, "")

	group := &cobra.Command{Use: "group"}
	group.PersistentFlags().String("name", "", "")
	run := &cobra.Command{Use: "run", Args: cobra.ArbitraryArgs, RunE: nop}
	run.Flags().Bool("debug", false, "")
	firstArgEndsFlags(run)
	raw := &cobra.Command{Use: "raw", DisableFlagParsing: true, RunE: nop}
	group.AddCommand(run, raw)
	root.AddCommand(worker, group)
	return root
}

func TestOneDash(t *testing.T) {
	for _, tt := range []struct{ name, args, want string }{
		{"nothing", "", ""},
		{"two dashes stay", "worker --reverse-type=x --reboot", "worker --reverse-type=x --reboot"},
		{"with value", "worker -reverse-type=x", "worker --reverse-type=x"},
		{"value follows", "worker -reverse-type x", "worker --reverse-type x"},
		{"value looks like a flag", "worker -reverse-type -reboot", "worker --reverse-type -reboot"},
		{"two-dash value looks like a flag", "worker --reverse-type -reboot", "worker --reverse-type -reboot"},
		{"shorthand's value looks like a flag", "worker -t -reboot -reboot", "worker -t -reboot --reboot"},
		{"shorthand with its value", "worker -tx -reboot", "worker -tx --reboot"},
		{"shorthand group", "worker -vt -reboot", "worker -vt -reboot"},
		{"bool with value", "worker -reboot=false", "worker --reboot=false"},
		{"bool takes no next argument", "worker -reboot -reverse-type x", "worker --reboot --reverse-type x"},
		{"repeated", "worker -env A=-reboot -env B", "worker --env A=-reboot --env B"},
		{"alias", "w -reboot", "w --reboot"},
		{"global before", "-config -v worker -reboot", "--config -v worker --reboot"},
		{"global after", "worker -config=f -verbose", "worker --config=f --verbose"},
		{"shorthand alone", "-v worker", "-v worker"},
		{"shorthand of one letter is no long flag", "worker -t=x", "worker -t=x"},
		{"unknown", "worker -nope -reboot", "worker -nope --reboot"},
		{"another command's flag", "group -reverse-type x", "group -reverse-type x"},
		{"after the end of flags", "worker -- -reboot", "worker -- -reboot"},
		{"after an argument", "worker arg -reboot", "worker arg --reboot"},
		{"lone dash", "worker - -reboot", "worker - --reboot"},
		{"no descent after an argument", "arg worker -reboot", "arg worker -reboot"},
		{"group's flag", "group -name n run -debug inst cmd", "group --name n run --debug inst cmd"},
		{"inherited flag", "group run -name n -debug inst -debug", "group run --name n --debug inst -debug"},
		{"remote command's flags", "group run inst -v -debug -name x", "group run inst -v -debug -name x"},
		{"flags not parsed", "group raw -name x", "group raw -name x"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			args := strings.Fields(tt.args)
			before := slices.Clone(args)
			got := oneDash(flagTree(), args)
			if want := strings.Fields(tt.want); !slices.Equal(got, want) {
				t.Errorf("oneDash(%q) = %q, want %q", args, got, want)
			}
			if !slices.Equal(args, before) {
				t.Errorf("the arguments handed in became %q", args)
			}
		})
	}
}

func FuzzOneDash(f *testing.F) {
	f.Add("worker\x00-reverse-type=x\x00-reboot=false")
	f.Add("group\x00run\x00-debug\x00inst\x00-v\x00--\x00-name")
	f.Add("-config\x00-v\x00worker\x00-vt\x00-\x00---\x00=")
	root := flagTree()
	f.Fuzz(func(t *testing.T, line string) {
		args := strings.Split(line, "\x00")
		got := oneDash(root, args)
		if len(got) != len(args) {
			t.Fatalf("%q became %q: other number of arguments", args, got)
		}
		for i, arg := range args {
			if got[i] != arg && got[i] != "-"+arg {
				t.Errorf("argument %d: %q became %q", i, arg, got[i])
			}
		}
		if again := oneDash(root, got); !slices.Equal(again, got) {
			t.Errorf("%q became %q, and that %q", args, got, again)
		}
	})
}
