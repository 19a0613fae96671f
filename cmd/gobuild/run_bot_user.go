package main

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"

	"gobuild/pkg/account"
	"gobuild/pkg/builderkey"
	"gobuild/pkg/coordinator"
	"gobuild/pkg/farmbot"
	"gobuild/pkg/hint"
)

// What is special about a farm's worker with --user: root runs it, and the
// buildlet becomes another user, who is not to change what root goes by.

// farmKey returns where the builder key lies, or "" if the buildlet may find
// it.
func (a *app) farmKey(o farmbot.Options) (file string, err error) {
	if del, _ := strconv.ParseBool(a.getenv("GO_BUILD_KEY_DELETE_AFTER_READ")); del && o.User == "" {
		return "", hint.With(errors.New("$GO_BUILD_KEY_DELETE_AFTER_READ is set: the buildlet, which is started again at times, would find its key the first time only"),
			"unset it; if what is built is not to read the key, start run-bot as root with --user NAME")
	}
	if o.KeyFile != "" {
		return o.KeyFile, nil
	}
	found, err := builderkey.Locate(o.HostType, a.getenv)
	if err != nil && o.User == "" {
		return "", nil // the buildlet says it, at each start
	}
	return found.File, err
}

// filesForRoot are the files that a buildlet is named which is root's at first:
// it finds nothing by itself, in the home directory of the user whom it is to
// become.
func (a *app) filesForRoot(t *farmFlags, o farmbot.Options) (config, key, ca string) {
	ca = a.caFile
	if dir, err := a.devDir(); t.dev && err == nil {
		ca = filepath.Join(dir, coordinator.DevCA)
	}
	return cmp.Or(a.configFile, os.DevNull), o.KeyFile, ca
}

// trusted are the files by which run-bot goes, besides those that farmbot knows.
func (a *app) trusted(t *farmFlags) ([]string, error) {
	if t.allowUnsigned {
		return nil, usageErrorf("--allow-unsigned with --user: root would start what nobody has signed")
	}
	config, _, err := a.readConfig()
	if err != nil {
		return nil, err
	}
	files := append([]string{config, a.caFile}, t.envFiles...)
	for _, key := range t.releaseKeys {
		if !isReleaseKey(key) {
			files = append(files, key)
		}
	}
	files = slices.DeleteFunc(files, func(file string) bool { return file == "" || file == os.DevNull })
	for i := range files {
		if err := makeAbsolute(&files[i]); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// checkLog makes sure that a user, if there is one, cannot lead root's log
// elsewhere. Old ones are made beside it.
func checkLog(file, user string) error {
	who, err := account.LookUp(user)
	if user == "" || err != nil {
		return nil // it is said with the user
	}
	for _, file := range []string{file, filepath.Dir(file)} {
		if err := makeAbsolute(&file); err != nil {
			return err
		}
		if err := farmbot.CheckTrusted(who, file); err != nil {
			return err
		}
	}
	return nil
}

// machineState returns where programs of the machine keep what is to outlive
// them.
func machineState() string {
	switch runtime.GOOS {
	case "linux", "android":
		return "/var/lib/gobuild"
	case "solaris", "illumos":
		return "/var/opt/gobuild"
	}
	return "/var/db/gobuild"
}
