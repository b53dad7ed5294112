"use strict";
// One time for the whole page: the slider, the arrow keys, Play or a click on a curve choose a step;
// every film shows its last picture up to it, every chart its cursor and the values there.
(() => {
  const charts = JSON.parse(document.getElementById("charts").textContent);
  const films = [...document.querySelectorAll(".film")].map(makeFilm);
  const figures = [...document.querySelectorAll(".chart")].map(makeChart);
  let timer = null, time = Infinity;

  function makeFilm(figure) {
    const frames = [...figure.querySelectorAll("img")];
    const slider = figure.querySelector("input"), play = figure.querySelector(".play");
    const film = { figure, frames, slider, play, now: frames.length - 1,
                   steps: frames.map((frame) => Number(frame.dataset.step)) };
    if (slider) {
      slider.parentElement.hidden = false;
      slider.addEventListener("input", () => { stop(); show(film.steps[slider.value]); });
      play.addEventListener("click", () => (timer && play.dataset.on ? stop() : start(film)));
    }
    return film;
  }

  function show(step) {
    time = step;
    for (const film of films) turn(film, step);
    for (const figure of figures) point(figure, step);
  }

  function turn(film, step) {
    const after = film.steps.findIndex((s) => s > step);
    const index = Math.max(0, (after < 0 ? film.steps.length : after) - 1);
    if (index !== film.now) {
      film.frames[index].hidden = false;
      film.frames[film.now].hidden = true;
      film.now = index;
    }
    film.figure.querySelector("output").textContent = film.steps[index].toLocaleString("en");
    if (film.slider) {
      film.slider.value = index;
      film.slider.setAttribute("aria-valuetext", `step ${film.steps[index]}`);
    }
  }

  function start(film) {
    stop();
    film.play.textContent = "Pause";
    film.play.dataset.on = "yes";
    let index = film.now === film.steps.length - 1 ? 0 : film.now + 1;
    const next = () => {
      show(film.steps[index]);
      if (++index === film.steps.length) stop();
    };
    timer = setInterval(next, Math.max(120, Math.min(600, 6000 / film.steps.length)));
    next();
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    for (const { play } of films) {
      if (play) { play.textContent = "Play"; delete play.dataset.on; }
    }
  }

  function move(by) {
    const film = films.find((f) => f.slider);
    if (film) { stop(); show(film.steps[Math.max(0, Math.min(film.steps.length - 1, film.now + by))]); }
  }

  document.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const busy = event.target.closest("input, button, pre, table, summary");
    if (by && !busy && !event.altKey && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      move(by);
    }
  });

  // -- charts -------------------------------------------------------------------------------------

  function makeChart(figure) {
    const chart = charts[figure.dataset.chart], plot = figure.querySelector(".plot");
    const chosen = (event) => {
      const box = plot.getBoundingClientRect();
      const share = Math.max(0, Math.min(1, (event.clientX - box.left) / box.width));
      return share * chart.last;
    };
    plot.addEventListener("pointermove", (event) => {
      if (event.pointerType === "mouse" && !event.buttons) figures.forEach((f) => point(f, chosen(event)));
      else { stop(); show(chosen(event)); }
    });
    plot.addEventListener("pointerdown", (event) => { stop(); show(chosen(event)); });
    plot.addEventListener("pointerleave", () => figures.forEach((f) => point(f, time)));
    return { chart, cursor: plot.querySelector(".cursor"),
             values: [...figure.querySelectorAll("[data-series]")] };
  }

  function point(figure, step) {
    const { chart, cursor, values } = figure;
    const x = `${Math.min(100, (100 * step) / Math.max(1, chart.last))}%`;
    cursor.setAttribute("x1", x);
    cursor.setAttribute("x2", x);
    cursor.setAttribute("visibility", step < chart.last ? "visible" : "hidden");
    values.forEach((value, i) => { value.textContent = text(nearest(chart.series[i], step)); });
  }

  function nearest({ steps, values }, step) {
    let low = 0, high = steps.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (steps[middle] <= step) low = middle; else high = middle;
    }
    return values[step - steps[low] <= steps[high] - step ? low : high];
  }

  function text(value) { return value === null ? "not finite" : String(value).replace(/-/g, "\u2212"); }

  show(time);
})();
