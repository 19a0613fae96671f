# gobuild-farm-bot: Worker of a Go build farm. Made by "gobuild service".
# For a PowerShell of an administrator.
$ErrorActionPreference = 'Stop'
$name = 'gobuild-farm-bot'
if (Get-Service -Name $name -ErrorAction SilentlyContinue) {
    Stop-Service -Name $name
    sc.exe delete $name | Out-Null
    for ($i = 0; $i -lt 30 -and (Get-Service -Name $name -ErrorAction SilentlyContinue); $i++) { Start-Sleep -Seconds 1 }
}
New-Service -Name $name -DisplayName $name -Description 'Worker of a Go build farm' -StartupType Automatic -BinaryPathName '"C:\Program Files\gobuild\gobuild.exe" run-bot --host-type=host-linux-riscv64 --coordinator=https://farm.example --workdir=C:\ProgramData\gobuild-farm-bot\work --key-file C:\gobuild\builder.key' | Out-Null
function Check([string]$what) { if ($LASTEXITCODE -ne 0) { throw "$what ended with code $LASTEXITCODE" } }
sc.exe config $name start= delayed-auto obj= 'NT SERVICE\gobuild-farm-bot' | Out-Null
Check 'sc.exe config'
# Started again after 10 s, 1 min, then every 5 min; the count begins anew after a day.
sc.exe failure $name reset= 86400 actions= restart/10000/restart/60000/restart/300000 | Out-Null
Check 'sc.exe failure'
sc.exe failureflag $name 1 | Out-Null
Check 'sc.exe failureflag'
$key = "HKLM:\SYSTEM\CurrentControlSet\Services\$name"
New-ItemProperty -Path $key -Name Environment -PropertyType MultiString -Force -Value @(
    'GOBUILD_SERVICE_LOG=C:\ProgramData\gobuild-farm-bot\gobuild-farm-bot.log'
) | Out-Null
New-Item -ItemType Directory -Force -Path 'C:\ProgramData\gobuild-farm-bot' | Out-Null
icacls.exe 'C:\ProgramData\gobuild-farm-bot' /grant 'NT SERVICE\gobuild-farm-bot:(OI)(CI)M' | Out-Null
Check 'icacls.exe'
New-Item -ItemType Directory -Force -Path 'C:\ProgramData\gobuild-farm-bot\work' | Out-Null
icacls.exe 'C:\ProgramData\gobuild-farm-bot\work' /grant 'NT SERVICE\gobuild-farm-bot:(OI)(CI)M' | Out-Null
Check 'icacls.exe'
icacls.exe 'C:\gobuild\builder.key' /grant 'NT SERVICE\gobuild-farm-bot:(R)' | Out-Null
Check 'icacls.exe'
