// Puts the parts that the gateway sends in their places, and says when none come any more.
"use strict";
(() => {
  const silent = 4000, again = 5000; // milliseconds
  const lost = document.getElementById("lost"), at = document.getElementById("at");
  let source = null, heard = Date.now(), waiting = 0;

  const say = text => {
    if (lost.textContent !== text) lost.textContent = text;
    lost.hidden = text === "";
    document.body.classList.toggle("stale", text !== "");
  };

  const put = data => {
    const end = data.indexOf("\n");
    const place = document.getElementById(end < 0 ? data : data.slice(0, end));
    if (place) place.innerHTML = end < 0 ? "" : data.slice(end + 1);
  };

  const close = () => {
    clearTimeout(waiting);
    if (source) source.close();
    source = null;
  };

  const open = () => {
    close();
    heard = Date.now();
    source = new EventSource("/events");
    source.addEventListener("page", e => {
      if (e.data !== document.body.dataset.page) location.reload();
    });
    source.addEventListener("part", e => put(e.data));
    source.addEventListener("tick", e => {
      heard = Date.now();
      at.textContent = e.data;
      say("");
    });
    source.addEventListener("error", () => {
      if (source && source.readyState === EventSource.CLOSED) {
        say("No live values: the session has ended, or too many viewers follow the page. Reload it to see the state now.");
        waiting = setTimeout(open, again);
      }
    });
  };

  setInterval(() => {
    if (source && source.readyState !== EventSource.CLOSED && Date.now() - heard > silent)
      say("The connection to the gateway is lost. The values are those of " + at.textContent + ".");
  }, 500);

  document.addEventListener("visibilitychange", () => document.hidden ? close() : open());
  addEventListener("pagehide", close);
  if (!document.hidden) open();
})();
