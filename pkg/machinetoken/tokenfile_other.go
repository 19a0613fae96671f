//go:build !windows

package machinetoken

// defaultTokenFile is where upstream's programs look for the token file.
const defaultTokenFile = "/var/lib/luci_machine_tokend/token.json"
