# gobuild-run-bot: LUCI builder of the Go project. Made by "gobuild service".
# For a PowerShell of an administrator.
$ErrorActionPreference = 'Stop'
$name = 'gobuild-run-bot'
if (Get-Service -Name $name -ErrorAction SilentlyContinue) {
    Stop-Service -Name $name
    sc.exe delete $name | Out-Null
    for ($i = 0; $i -lt 30 -and (Get-Service -Name $name -ErrorAction SilentlyContinue); $i++) { Start-Sleep -Seconds 1 }
}
New-Service -Name $name -DisplayName $name -Description 'LUCI builder of the Go project' -StartupType Automatic -BinaryPathName '"C:\Program Files\gobuild\gobuild.exe" run-bot --hostname=linux-riscv64-gopher --workdir=C:\ProgramData\gobuild-run-bot\work --health-addr=localhost:8081' | Out-Null
function Check([string]$what) { if ($LASTEXITCODE -ne 0) { throw "$what ended with code $LASTEXITCODE" } }
sc.exe config $name start= delayed-auto obj= 'NT SERVICE\gobuild-run-bot' | Out-Null
Check 'sc.exe config'
# Started again after 10 s, 1 min, then every 5 min; the count begins anew after a day.
sc.exe failure $name reset= 86400 actions= restart/10000/restart/60000/restart/300000 | Out-Null
Check 'sc.exe failure'
sc.exe failureflag $name 1 | Out-Null
Check 'sc.exe failureflag'
$key = "HKLM:\SYSTEM\CurrentControlSet\Services\$name"
New-ItemProperty -Path $key -Name Environment -PropertyType MultiString -Force -Value @(
    'GOBUILD_SERVICE_LOG=C:\ProgramData\gobuild-run-bot\gobuild-run-bot.log'
) | Out-Null
New-Item -ItemType Directory -Force -Path 'C:\ProgramData\gobuild-run-bot' | Out-Null
icacls.exe 'C:\ProgramData\gobuild-run-bot' /grant 'NT SERVICE\gobuild-run-bot:(OI)(CI)M' | Out-Null
Check 'icacls.exe'
New-Item -ItemType Directory -Force -Path 'C:\ProgramData\gobuild-run-bot\work' | Out-Null
icacls.exe 'C:\ProgramData\gobuild-run-bot\work' /grant 'NT SERVICE\gobuild-run-bot:(OI)(CI)M' | Out-Null
Check 'icacls.exe'
