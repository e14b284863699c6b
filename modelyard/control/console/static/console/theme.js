// Runs before the page is painted: says that scripts work, and keeps the theme that was chosen on this computer.
(function () {
  "use strict";
  var root = document.documentElement;
  root.classList.add("js");
  try {
    var kept = window.localStorage.getItem("modelyard-theme");
    if (kept === "light" || kept === "dark") root.dataset.theme = kept;
  } catch (error) {
    // Storage is turned off: the system's theme holds.
  }
})();
