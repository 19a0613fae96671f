package machinetoken

// defaultTokenFile is where upstream's programs look for the token file.
const defaultTokenFile = `C:\luci_machine_tokend\token.json`
