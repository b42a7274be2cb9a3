// Browsers do not let the keyboard reach all that scrolls from left to right: wide tables and code.
const reach = () => {
  for (const each of document.querySelectorAll(".md-typeset__scrollwrap, .md-typeset pre > code")) {
    if (each.scrollWidth > each.clientWidth) each.tabIndex = 0;
    else each.removeAttribute("tabindex");
  }
};
addEventListener("load", reach);
addEventListener("resize", reach);

// A page with one heading has no table of contents, so the theme's switch for it has no label.
const toc = document.getElementById("__toc");
if (toc && !toc.labels.length) toc.setAttribute("aria-label", "Table of contents");
