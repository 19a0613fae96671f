//go:build !plan9

package main

import (
	"bytes"

	"github.com/spf13/viper"
)

// mergeConfig returns the values of the YAML document doc with those of env
// above them, by key.
func mergeConfig(doc []byte, env map[string]string) (map[string]string, error) {
	v := viper.New()
	v.SetConfigType("yaml")
	if err := v.ReadConfig(bytes.NewReader(doc)); err != nil {
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
