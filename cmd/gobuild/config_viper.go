//go:build !plan9

package main

import "github.com/spf13/viper"

// mergeConfig returns the values of the YAML document doc with those of env
// above them, by key.
func mergeConfig(doc []byte, env map[string]string) (map[string]string, error) {
	file, err := configValues(doc)
	if err != nil {
		return nil, err
	}
	v := viper.New()
	if err := v.MergeConfigMap(file); err != nil {
		return nil, err
	}
	// Not viper's AutomaticEnv: it would read the process's environment
	// instead of the one that the app was given.
	for key, value := range env {
		v.Set(key, value)
	}
	values := map[string]string{}
	for _, key := range configKeyNames() {
		if v.IsSet(key) {
			values[key] = v.GetString(key)
		}
	}
	return values, nil
}
