"""The HTML and CSS around a report, for :class:`string.Template`; every placeholder takes escaped HTML."""

PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="
default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>ScarSegECG: myocardial scar</title>
<style>
@page { size: A4 portrait; margin: 13mm 14mm 14mm; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 190mm; padding: 6mm; color: #111; background: #fff;
  font: 10pt/1.38 "Helvetica Neue", Arial, "Liberation Sans", "DejaVu Sans", sans-serif;
  overflow-wrap: anywhere; }
header { border-bottom: 1.2pt solid #111; padding-bottom: 2mm; }
h1 { font-size: 17pt; line-height: 1.15; margin: 0 0 1mm; }
h2 { font-size: 12pt; margin: 5mm 0 1.5mm; break-after: avoid; }
p, ul { margin: 0 0 1.5mm; }
ul { padding-left: 5mm; }
.purpose { font-weight: 700; }
.blanks { display: flex; gap: 5mm; margin-top: 3mm; font-size: 9pt; }
.blanks span { flex: 1; border-bottom: .5pt solid #777; padding-bottom: .5mm; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-size: 8.5pt; color: #333; padding-bottom: 1mm; }
th, td { text-align: left; vertical-align: top; padding: 1mm 1.6mm; border-bottom: .4pt solid #aaa; }
th { font-weight: 600; border-bottom: .8pt solid #111; }
thead td { border-bottom: .8pt solid #111; }
tbody th { border-bottom: .4pt solid #aaa; white-space: nowrap; }
td.n, th.n { text-align: right; }
tr { break-inside: avoid; }
thead { display: table-header-group; }
.headline thead th { font-size: 9.2pt; white-space: nowrap; }
.headline td { font-size: 12.5pt; }
.headline td.first { font-size: 17pt; font-weight: 700; line-height: 1.15; }
.segments { font-size: 7.4pt; line-height: 1.25; }
.segments th, .segments td { padding: .6mm .7mm; overflow-wrap: normal; }
/* "ECG cannot tell" on one line: a row of three lines would fill a page with 17 of them. */
.segments td:last-child { min-width: 21mm; }
.segments .whole { white-space: nowrap; }
.reasons { margin-top: 2mm; }
.total { margin-top: 1mm; font-size: 9pt; }
.box { border: 1pt solid #111; border-left-width: 4pt; padding: 2mm 3mm; margin: 4mm 0 0; break-inside: avoid; }
.box h2 { margin: 0 0 1mm; }
.box.warn { border-color: #a33b00; break-inside: auto; }
.box li { break-inside: avoid; }
figure { margin: 0; break-inside: avoid; }
figure img { display: block; max-width: 100%; margin: 0 auto; object-fit: contain; }
/* The bullseye stands beside what was used and what to mind, so that page 1 holds the finding whole. */
.beside { float: right; width: 80mm; margin: 4mm 0 3mm 6mm; break-inside: avoid; }
.beside h2 { margin-top: 0; }
.facts .box { display: flow-root; }
.facts section { clear: right; }
.bullseye img { max-height: 132mm; }
@media (max-width: 150mm) { .beside { float: none; width: auto; margin: 4mm 0 0; } }
.ecg img { max-height: 88mm; }
.transmurality img { max-height: 100mm; }
.montage img { max-height: 225mm; }
figcaption { font-size: 8.5pt; color: #333; margin-top: 1mm; }
.absent { border: .5pt dashed #777; padding: 3mm; }
.after { clear: both; }
.together { break-inside: avoid; }
.small { font-size: 7.8pt; color: #222; line-height: 1.3; }
.small dt { font-weight: 600; float: left; clear: left; width: 44mm; }
.small dd { margin: 0 0 .6mm 46mm; }
.small code { font-family: "DejaVu Sans Mono", Consolas, monospace; font-size: 7.2pt; }
@media print { body { max-width: none; padding: 0; } }
</style>
</head>
<body>
<header>
<h1>ScarSegECG: myocardial scar in LGE MRI</h1>
<p class="purpose">$purpose</p>
<div class="blanks">$blanks</div>
</header>

<h2>Scar burden</h2>
<table class="headline">
<caption>Method: $method. $density</caption>
<thead><tr>
<td></td><th class="n">Scar mass, g</th><th class="n">% of LV myocardium</th><th class="n">Scar volume, ml</th>
</tr></thead>
<tbody>$headline</tbody>
</table>
<p class="total">$left_ventricle</p>
<p class="total">$accuracy</p>

<div class="beside"><h2>Bullseye</h2>
$bullseye
</div>
<div class="facts">
<div class="box"><h2>What was used</h2><ul>$used</ul></div>
$warnings
</div>

<section class="together after">
<h2>ECG</h2>
$ecg
</section>

<section>
<h2>AHA segments</h2>
$segment_table
<ul class="small reasons">$reasons</ul>
</section>
$scar_tables
<section class="together">
<h2>Transmurality</h2>
$transmurality
</section>

<section class="together">
<h2>LGE images with the segmentation</h2>
$montage
</section>

<section class="together">
<h2>Limits</h2>
<ul class="small">$limits</ul>
</section>
$notes
<section class="together">
<h2>Versions and hashes</h2>
<dl class="small">$versions</dl>
<p class="small purpose">$purpose</p>
</section>
</body>
</html>
"""
