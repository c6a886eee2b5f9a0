"""The style sheet of the page that `agentic_dsl.cli.drawing.page` writes; pictures bring their own."""

PAGE_STYLE = r"""
:root{color-scheme:light dark;--paper:#fff;--ink:#1b1f24;--faint:#57606a;--edge:#d0d7de;
--bar:#f6f8fa;--hit:#bf8700}
@media (prefers-color-scheme:dark){
:root{--paper:#0d1117;--ink:#e6edf3;--faint:#9198a1;--edge:#3d444d;
--bar:#151b23;--hit:#d29922}}
*{box-sizing:border-box}
html,body{height:100%;margin:0}
body{display:flex;flex-direction:column;background:var(--paper);color:var(--ink);font:14px system-ui,sans-serif}
header{display:flex;flex-wrap:wrap;gap:8px 12px;align-items:center;padding:8px 12px;
background:var(--bar);border-bottom:1px solid var(--edge)}
h1{font-size:15px;margin:0 auto 0 0;overflow-wrap:anywhere}
h2{font-size:13px;margin:18px 0 6px}
input,button{font:inherit;color:inherit;
background:var(--paper);border:1px solid var(--edge);border-radius:6px;padding:3px 9px}
output{color:var(--faint);min-width:5em}
main{display:flex;flex:1;min-height:0}
#stage{flex:1;min-width:0;overflow:hidden;touch-action:none;cursor:grab}
#stage svg{width:100%;height:100%;display:block}
aside{width:25em;max-width:45%;overflow:auto;
padding:0 14px 20px;border-left:1px solid var(--edge);background:var(--bar)}
dl{margin:0}dt{font-weight:600;margin-top:8px}
dd{margin:2px 0 0;font-family:ui-monospace,monospace;font-size:12px;white-space:pre-wrap;overflow-wrap:anywhere}
ol,ul{padding:0;margin:0;list-style:none}
li{margin:4px 0;overflow-wrap:anywhere}
#findings button{display:block;width:100%;text-align:left}
.code{font-family:ui-monospace,monospace;font-weight:600}
.help,.faint-text{color:var(--faint)}
.hidden-character{color:#fff;background:#b3261e;border-radius:3px;padding:0 2px}
.swatch{vertical-align:middle;margin-right:6px}
.item{cursor:pointer}
.item:focus{outline:none}
.item:focus-visible rect,.item.chosen rect{stroke:var(--hit);stroke-width:4}
.item.hit rect{stroke:var(--hit);stroke-width:3.4}
.searching .item:not(.hit){opacity:.3}
.way.near{stroke:var(--hit);stroke-width:3}
:focus-visible{outline:2px solid var(--hit);outline-offset:1px}
@media (max-width:700px){
main{flex-direction:column}
aside{width:auto;max-width:none;max-height:45%;border-left:0;border-top:1px solid var(--edge)}}
"""
