package main

import "github.com/spf13/cobra"

// newHelpCommand returns "gobuild help". Cobra's own ends with code 0 when it
// does not know the topic.
func newHelpCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "help [COMMAND]...",
		Short:   "Show the help text of a command",
		Long:    `Help shows what a command does, its flags and examples; the same as --help.`,
		Example: `  gobuild help completion`,
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			topic := cmd.Root()
			for _, name := range args {
				next := child(topic, name)
				if next == nil {
					return unknownCommand(topic, name)
				}
				topic = next
			}
			return topic.Help()
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			topic := cmd.Root()
			for _, name := range args {
				if topic = child(topic, name); topic == nil {
					return nil, cobra.ShellCompDirectiveNoFileComp
				}
			}
			var names []string
			for _, sub := range topic.Commands() {
				if sub.IsAvailableCommand() {
					names = append(names, cobra.CompletionWithDesc(sub.Name(), sub.Short))
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
	return withoutConfig(cmd)
}

// child returns the direct subcommand of cmd that answers to name, or nil.
func child(cmd *cobra.Command, name string) *cobra.Command {
	for _, sub := range cmd.Commands() {
		if sub.Name() == name || sub.HasAlias(name) {
			return sub
		}
	}
	return nil
}
