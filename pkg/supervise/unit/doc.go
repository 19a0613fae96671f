// Package unit words what an init system needs to run a worker or a token
// daemon, and installs it.
//
// Make turns a Service into a Plan: files, directories, an own user, and the
// commands by which the init system takes them up. An Installer carries a plan
// out. The texts come from templates/, one for each init system; whatever a
// person may have chosen (a path, an argument, a variable) is quoted as the
// format at hand wants it, or refused where it has no way to say it.
//
// Where a format is shell text, the command stands in a small script of its
// own, the run script, which the init system's file names: it is quoted once,
// however often the init system hands its own settings to a shell.
package unit
