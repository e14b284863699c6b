// Small behaviours, all by delegation, so that what htmx swaps in needs no set-up. Every page works without them.
(function () {
  "use strict";
  const root = document.documentElement;
  const THEMES = ["system", "light", "dark"];

  // --- theme -------------------------------------------------------------------------------------------------
  function themeNow() {
    return root.dataset.theme || "system";
  }
  function showTheme() {
    const toggle = document.querySelector("[data-theme-toggle]");
    if (!toggle) return;
    toggle.setAttribute("aria-label", "Theme: " + themeNow() + ". Change it");
    toggle.querySelectorAll("[data-theme-icon]").forEach(function (icon) {
      icon.toggleAttribute("hidden", icon.dataset.themeIcon !== themeNow());
    });
  }
  function nextTheme() {
    const next = THEMES[(THEMES.indexOf(themeNow()) + 1) % THEMES.length];
    if (next === "system") delete root.dataset.theme;
    else root.dataset.theme = next;
    try {
      window.localStorage.setItem("modelyard-theme", next);
    } catch (error) {
      // Storage is turned off: the choice holds for this page.
    }
    showTheme();
    announce("Theme: " + next);
  }

  // --- said to screen readers ----------------------------------------------------------------------------------
  function announce(text) {
    const region = document.getElementById("announcer");
    if (region) region.textContent = text;
  }

  // --- copy ----------------------------------------------------------------------------------------------------
  function copy(button) {
    const source = document.getElementById(button.dataset.copy);
    if (!source) return;
    const text = source.value === undefined ? source.textContent : source.value;
    const done = function () {
      button.classList.add("copied");
      const use = button.querySelector("use");
      const before = use.getAttribute("href");
      use.setAttribute("href", before.replace("#copy", "#check"));
      announce("Copied");
      window.setTimeout(function () {
        use.setAttribute("href", before);
        button.classList.remove("copied");
      }, 1600);
    };
    if (navigator.clipboard && window.isSecureContext) {
      navigator.clipboard.writeText(text).then(done, select);
    } else {
      select();
    }
    function select() {
      const range = document.createRange();
      range.selectNodeContents(source);
      const chosen = window.getSelection();
      chosen.removeAllRanges();
      chosen.addRange(range);
      if (document.execCommand("copy")) done();
    }
  }

  // --- clicks --------------------------------------------------------------------------------------------------
  document.addEventListener("click", function (event) {
    const target = event.target.closest("[data-theme-toggle], [data-copy], [data-dialog], [data-opens], [data-closes], [data-dismiss]");
    if (target) {
      if (target.dataset.themeToggle !== undefined) nextTheme();
      else if (target.dataset.copy) copy(target);
      else if (target.dataset.opens) document.getElementById(target.dataset.opens).open = true;
      else if (target.dataset.dismiss !== undefined) target.closest(".toast").remove();
      else if (target.dataset.closes !== undefined) {
        const open = target.closest("dialog");
        if (open) {
          event.preventDefault();
          open.close();
        }
      } else {
        const dialog = document.getElementById(target.dataset.dialog);
        if (dialog && dialog.showModal) {
          event.preventDefault();
          dialog.showModal();
        }
      }
    }
    // A click beside a dialog or a menu closes it.
    if (event.target instanceof HTMLDialogElement) event.target.close();
    document.querySelectorAll("details.menu[open]").forEach(function (menu) {
      if (!menu.contains(event.target)) menu.open = false;
    });
  });

  // --- keyboard ------------------------------------------------------------------------------------------------
  document.addEventListener("keydown", function (event) {
    if (event.key === "Escape") {
      document.querySelectorAll("details.menu[open]").forEach(function (menu) {
        menu.open = false;
        menu.querySelector("summary").focus();
      });
    }
    const typing = event.target.closest("input, textarea, select, [contenteditable]");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      const search = document.querySelector("[data-search]");
      if (search) {
        event.preventDefault();
        search.focus();
        search.select();
      }
    }
  });

  // --- the name that must be typed before a model is deleted ------------------------------------------------------
  function arm(field) {
    const button = field.form.querySelector("[data-armed]");
    if (button) button.disabled = field.value !== field.dataset.mustEqual;
  }
  document.addEventListener("input", function (event) {
    if (event.target.matches("[data-must-equal]")) arm(event.target);
  });

  // --- what the address asks for: a dialog that came open, a place that is folded away --------------------------------
  function unfold() {
    document.querySelectorAll("dialog[open]").forEach(function (dialog) {
      dialog.open = false;
      dialog.showModal();
    });
    const place = document.getElementById(window.location.hash.slice(1));
    const folded = place && place.closest("details:not([open])");
    if (folded) {
      folded.open = true;
      place.scrollIntoView();
    }
  }

  // --- fields whose errors htmx brought: marked as those that came with the page ---------------------------------------
  function markErrors() {
    document.querySelectorAll('.error[id$="_error"]').forEach(function (error) {
      const field = document.getElementById(error.id.slice(0, -"_error".length));
      if (!field) return;
      const said = new Set((field.getAttribute("aria-describedby") || "").split(" ").filter(Boolean));
      field.setAttribute("aria-describedby", Array.from(said.add(error.id)).join(" "));
      if (error.textContent.trim()) field.setAttribute("aria-invalid", "true");
      else field.removeAttribute("aria-invalid");
    });
  }

  // The button that sent a form was disabled or replaced meanwhile, and the focus with it.
  function returnFocus(form) {
    if (document.activeElement !== document.body) return;
    const wrong = form.querySelector('[aria-invalid="true"]');
    (wrong || form.querySelector("button[type=submit]")).focus({ preventScroll: !wrong });
  }

  // --- toasts leave, unless somebody points at them or tabs into them ------------------------------------------------
  function expire() {
    document.querySelectorAll(".toast:not([data-timed])").forEach(function (toast) {
      toast.dataset.timed = "";
      const leave = function () {
        if (toast.matches(":hover, :focus-within")) window.setTimeout(leave, 2000);
        else toast.remove();
      };
      window.setTimeout(leave, toast.classList.contains("bad") ? 20000 : 10000);
    });
  }

  // --- what htmx brings anew: what was unfolded stays so, and a log that was read to its end is followed --------------
  let unfolded = [];
  let followed = null;
  function showEnd(log) {
    log.scrollTop = log.scrollHeight;
  }
  document.addEventListener("htmx:beforeSwap", function (event) {
    const target = event.detail.target;
    unfolded = Array.from(target.querySelectorAll("details[open][id]"), function (details) {
      return details.id;
    });
    const log = target.closest(".log");
    followed = log && log.scrollHeight - log.scrollTop - log.clientHeight < 40 ? log : null;
  });
  document.addEventListener("htmx:afterSwap", function () {
    unfolded.forEach(function (id) {
      const details = document.getElementById(id);
      if (details) details.open = true;
    });
    if (followed) showEnd(followed);
  });

  // --- a second click on what sends a form would ask twice -------------------------------------------------------------
  document.addEventListener("submit", function (event) {
    const form = event.target;
    if (event.defaultPrevented || form.getAttribute("method") !== "post" || form.hasAttribute("hx-post")) return;
    if (Date.now() - Number(form.dataset.sentAt || 0) < 3000) event.preventDefault();
    else form.dataset.sentAt = String(Date.now());
  });

  // --- htmx --------------------------------------------------------------------------------------------------------
  document.addEventListener("htmx:afterSwap", expire);
  document.addEventListener("htmx:afterSettle", function (event) {
    const came = event.target;
    const said = came.matches && (came.matches("[data-announce]") ? came : came.querySelector("[data-announce]"));
    if (said) announce(said.dataset.announce);
    markErrors();
    const request = event.detail.requestConfig;
    const form = request && request.verb === "post" && document.querySelector('form[hx-post="' + request.path + '"]');
    if (form) returnFocus(form);
    const answer = form && document.querySelector(".answer");
    if (answer) answer.scrollIntoView({ block: "nearest" });
  });
  document.addEventListener("htmx:sendError", function () {
    announce("The server did not answer");
  });

  showTheme();
  document.querySelectorAll(".log:has(.next)").forEach(showEnd);
  document.querySelectorAll("[data-must-equal]").forEach(arm);
  unfold();
  markErrors();
  const wrong = document.querySelector('main [aria-invalid="true"]');
  if (wrong && document.activeElement === document.body) wrong.focus();
  expire();
})();
