"""The look of every output: one small style sheet, scoped to `.km-root` and shipped inside each output.

Colours come from the front end's own variables (JupyterLab and Notebook 7, VS Code, Colab), else from `currentColor`
and a pair for light and dark; the selectors for dark are those that front ends are known to set. Nothing has a
background of its own colour, so a page's theme shows through. Text keeps a contrast of at least 4.5 to 1.
"""

from __future__ import annotations

import re

_DARK = "--km-link:#8ab4f8;--km-warn:#ffb74d;--km-line:rgba(255,255,255,.24);--km-tint:rgba(255,255,255,.07)"

_STYLE = f"""
.km-root{{
--km-fg:var(--jp-content-font-color1,var(--vscode-editor-foreground,var(--colab-primary-text-color,currentColor)));
--km-link:#0b57d0;--km-warn:#8a4b00;--km-line:rgba(0,0,0,.22);--km-tint:rgba(0,0,0,.05);
color:var(--km-fg);background:transparent;font-family:var(--jp-content-font-family,system-ui,sans-serif);
font-size:var(--jp-content-font-size1,14px);line-height:1.5;max-width:60rem}}
@media (prefers-color-scheme:dark){{.km-root{{{_DARK}}}}}
body[data-jp-theme-light=true] .km-root,html[theme=light] .km-root,body.vscode-light .km-root
{{--km-link:#0b57d0;--km-warn:#8a4b00;--km-line:rgba(0,0,0,.22);--km-tint:rgba(0,0,0,.05)}}
html[theme=dark] .km-root,html[data-theme=dark] .km-root,body[data-theme=dark] .km-root,
body[data-jp-theme-light=false] .km-root,body.vscode-dark .km-root
{{{_DARK}}}
.cell-output-ipywidget-background:has(.km-root){{background:transparent!important}}
.km-root p,.km-root ul,.km-root ol{{margin:.4em 0}}
.km-root a{{color:var(--km-link)}}
.km-root.km-root pre{{margin:.5em 0;padding:.5em .7em;background:var(--km-tint);color:inherit;border-radius:4px;
white-space:pre-wrap;overflow-wrap:anywhere}}
.km-root.km-root code{{font-family:var(--jp-code-font-family,ui-monospace,monospace);font-size:.93em;
background:transparent;color:inherit}}
.km-root.km-root table{{border-collapse:collapse;margin:.5em 0;font-size:.95em;color:inherit}}
.km-root.km-root tr{{background:transparent}}
.km-root.km-root caption{{text-align:left;font-weight:600;padding:.2em 0;color:inherit}}
.km-root.km-root th,.km-root.km-root td{{text-align:left;vertical-align:top;padding:.2em .8em .2em 0;border:0;
border-bottom:1px solid var(--km-line);background:transparent;overflow-wrap:break-word;word-break:normal}}
.km-root.km-root th,.km-root.km-root td.km-short{{white-space:nowrap}}
.km-root.km-root td.km-number,.km-root.km-root th.km-number
{{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}}
.km-root blockquote{{margin:.4em 0;padding-left:.8em;border-left:3px solid var(--km-line)}}
.km-root details{{margin:.25em 0;border-left:2px solid var(--km-line);padding-left:.7em}}
.km-root summary{{cursor:pointer}}
.km-root summary:focus-visible,.km-root a:focus-visible{{outline:2px solid var(--km-link);outline-offset:2px}}
.km-root .km-scroll{{max-height:36rem;overflow:auto}}
.km-root .km-heading,.km-root .km-title{{font-weight:600;margin:.6em 0 .2em}}
.km-root .km-foot{{margin-top:.6em;padding-top:.3em;border-top:1px solid var(--km-line);font-size:.88em}}
.km-root .km-note{{margin:.4em 0;font-size:.93em}}
.km-root .km-warn{{color:var(--km-warn);font-weight:600}}
.km-root .km-dim{{opacity:.78}}
.km-root .km-json details{{margin:0;border:0;padding:0}}
.km-root .km-json .km-in{{padding-left:1.3em}}
.km-root .km-host,.km-root .km-blocked{{font-size:.88em;font-style:italic}}
.km-root .km-chip{{display:inline-block;padding:0 .3em;border:1px solid var(--km-line);border-radius:4px;
font-size:.85em;text-decoration:none;line-height:1.35}}
.km-root:has(.km-columns){{max-width:none}}
.km-root .km-columns{{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(16rem,100%),1fr));gap:.8em 1.2em}}
.km-root .km-column{{min-width:0;border-top:2px solid var(--km-line)}}
.km-root.km-root .km-column pre{{font-family:inherit;max-height:24rem;overflow:auto}}
.km-root mark{{background:rgba(255,196,0,.3);color:inherit;border-radius:2px;padding:.05em 0;
box-decoration-break:clone;-webkit-box-decoration-break:clone}}
.km-root ins{{text-decoration:underline 2px;text-underline-offset:2px;font-weight:600}}
"""

# Shades of one colour for how likely a token was, hues for where it comes from; each with an underline of its own.
_TOKENS = """
.km-root .km-tokens{font-family:var(--jp-code-font-family,ui-monospace,monospace);font-size:.93em;line-height:1.9;
white-space:pre-wrap;overflow-wrap:anywhere;tab-size:4}
.km-root .km-t{--km-h:rgb(217,95,2);padding:.12em 0;border-radius:2px;text-decoration-thickness:2px;
text-underline-offset:.3em;text-decoration-skip-ink:none;text-decoration-color:var(--km-h);
box-shadow:inset 1px 0 0 0 var(--km-line)}
.km-root .km-p1{background:rgba(217,95,2,.1);text-decoration-line:underline;text-decoration-style:dotted}
.km-root .km-p2{background:rgba(217,95,2,.2);text-decoration-line:underline;text-decoration-style:dashed}
.km-root .km-p3{background:rgba(217,95,2,.32);text-decoration-line:underline}
.km-root .km-p4{background:rgba(217,95,2,.46);text-decoration-line:underline;text-decoration-style:double}
.km-root .km-o-template{--km-h:rgb(125,125,125);background:rgba(125,125,125,.13)}
.km-root .km-o-system{--km-h:rgb(124,77,200);background:rgba(124,77,200,.17);text-decoration-line:underline}
.km-root .km-o-history{--km-h:rgb(0,137,123);background:rgba(0,137,123,.17);text-decoration-line:underline;
text-decoration-style:dashed}
.km-root .km-o-variable{--km-h:rgb(217,95,2);background:rgba(217,95,2,.22);text-decoration-line:underline;
text-decoration-style:double}
.km-root .km-o-context{--km-h:rgb(30,110,220);background:rgba(30,110,220,.16);text-decoration-line:underline;
text-decoration-style:dotted}
.km-root .km-o-text{--km-h:currentColor}
.km-root .km-o-answer{background:repeating-linear-gradient(135deg,var(--km-line) 0 2px,transparent 2px 6px)}
.km-root .km-bar{display:flex;height:.7em;margin:.7em 0 .2em;border:1px solid var(--km-line);border-radius:4px;
overflow:hidden;max-width:36rem}
.km-root .km-bar span{min-width:2px}
.km-root .km-bar .km-o-text{background:var(--km-fg)}
.km-root .km-bar [class^=km-o-]:not(.km-o-text):not(.km-o-answer){background:var(--km-h)}
.km-root .km-special{outline:1px solid var(--km-h);outline-offset:-1px;font-style:italic}
.km-root .km-sign{opacity:.6}
.km-root .km-gap{display:block;margin:.5em 0;padding:.2em .7em;border-left:2px solid var(--km-line);
font-family:var(--jp-content-font-family,system-ui,sans-serif);font-style:italic}
.km-root .km-legend{display:flex;flex-wrap:wrap;gap:.2em 1.2em;margin:.6em 0 .3em;font-size:.88em}
"""

# Where a search's passages stand and how near they are.
_HITS = """
.km-root .km-scores{display:flex;flex-wrap:wrap;gap:.15em 1.4em;margin:.3em 0;font-size:.88em}
.km-root .km-score{display:inline-flex;align-items:center;gap:.45em;font-variant-numeric:tabular-nums}
.km-root .km-meter{display:inline-block;width:5.5em;height:.55em;border:1px solid var(--km-line);border-radius:3px;
overflow:hidden}
.km-root .km-where .km-meter{width:9em}
.km-root .km-meter i{display:block;height:100%;background:var(--km-link)}
.km-root mark{background:rgba(255,193,7,.3);color:inherit;border-bottom:2px solid rgba(217,119,6,.9);padding:0 .05em}
"""

# An output that grows is sent again and again: only the rules that a text in the making needs.
_LIVE = """
.km-live{max-width:60rem;line-height:1.5;font-family:var(--jp-content-font-family,system-ui,sans-serif);
font-size:var(--jp-content-font-size1,14px)}
.km-live .km-title{font-weight:600;margin:.6em 0 .2em}
.km-live pre{margin:.5em 0!important;padding:.5em .7em;background:rgba(127,127,127,.1)!important;
color:inherit!important;white-space:pre-wrap;overflow-wrap:anywhere;border-radius:4px}
.km-live .km-dim{opacity:.78}
"""

STYLE = re.sub(r"\n+", "", _STYLE)
"""The style sheet of every output, on one line."""
TOKENS = re.sub(r"\n+", "", _TOKENS)
"""What outputs with tokens in them need besides."""
HITS = re.sub(r"\n+", "", _HITS)
"""What found passages need besides."""
LIVE = re.sub(r"\n+", "", _LIVE)
"""The style sheet of a text in the making."""


def root(html: str, kind: str) -> str:
    """Our own (already escaped) HTML in the element that the style sheet applies to."""
    style = STYLE + (TOKENS if 'class="km-tokens"' in html else "") + (HITS if 'class="km-scores"' in html else "")
    return f'<style>{style}</style><div class="km-root km-{kind}">{html}</div>'


def live(html: str) -> str:
    """Our own (already escaped) HTML of a text in the making."""
    return f'<style>{LIVE}</style><div class="km-live">{html}</div>'
